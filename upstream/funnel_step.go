package upstream

import (
	"context"
	"net/url"
)

// DeleteSplitTestStep deletes a split test step. branch is left, right, both, or empty for both.
func (c *Client) DeleteSplitTestStep(ctx context.Context, p Place, id, branch string) error {
	return deletedIn(ctx, c, p, id, (*Client).SplitTestStep, branchQuery(branch), nestedPath(id, "funnels", "*", "split_test_steps")...)
}

// DeleteConditionalSplitStep deletes a conditional split step or a branch of it. branch is matched,
// unmatched, both, or empty for both.
func (c *Client) DeleteConditionalSplitStep(ctx context.Context, p Place, id, branch string) error {
	return deletedIn(ctx, c, p, id, (*Client).ConditionalSplitStep, branchQuery(branch), nestedPath(id, "funnels", "*", "conditional_split_steps")...)
}

// branchQuery returns the parameter that names a branch.
func branchQuery(branch string) string {
	if branch == "" {
		return ""
	}
	return url.Values{"branch": {branch}}.Encode()
}
