// Package prose holds the rules for the words of docs, comments and schema descriptions
// (rules.txt), and the tests that apply them.
package prose
