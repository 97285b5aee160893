package upstream

// subjectKinds are the kinds of the records that webhooks are about, by ClickFunnels' names for them
// (clickfunnels-api.md §7).
var subjectKinds = map[string]Kind{
	"Appointments::ScheduledEvent": KindScheduledEvent,
	"Blogs::Post":                  KindBlogPost,
	"Contact":                      KindContact,
	"Contacts::AppliedTag":         KindAppliedContactTag,
	"Course":                       KindCourse,
	"Courses::Enrollment":          KindCourseEnrollment,
	"Courses::Lesson":              KindCourseLesson,
	"Courses::Section":             KindCourseSection,
	"FormSubmission":               KindFormSubmission,
	"Fulfillment":                  KindFulfillment,
	"Order":                        KindOrder,
	"Orders::Invoice":              KindOrderInvoice,
	"Orders::Invoices::Restock":    KindOrderInvoiceRestock,
	"Orders::Transaction":          KindOrderTransaction,
	"Product":                      KindProduct,
	"Products::Variant":            KindProductVariant,
	"Sales::Opportunity":           KindSalesOpportunity,
}

// KindOfSubject returns the kind of the record that a webhook is about, by ClickFunnels' name for it.
func KindOfSubject(name string) (kind Kind, ok bool) {
	kind, ok = subjectKinds[name]
	return kind, ok
}
