// A change of the schema that may break clients has to be declared.
import assert from "node:assert/strict";
import test from "node:test";
import { committed, compare, noDeclarations } from "./promised.mjs";

test("nothing breaks clients but what is declared", (t) => {
  const { undeclared, absent, renewable } = compare(committed());
  assert.deepEqual(undeclared, [], "this may break clients: undo it, or declare each line in e2e/clients/breaking-changes.txt");
  assert.deepEqual(absent, [], "this is declared in e2e/clients/breaking-changes.txt, and is not so: remove it");
  if (renewable) t.diagnostic("schema.graphql is not what clients are promised. When it is released: npm run --prefix e2e/clients promise");
});

const promised = `
  directive @live on QUERY
  type Query { contacts(first: Int = 20, order: Order = { by: ID }): [Contact!]! }
  type Mutation { rename(input: Rename!): Contact }
  interface Node { id: ID! }
  type Contact implements Node { id: ID!  name: String!  state: State }
  enum State { NEW OLD }
  enum By { ID NAME }
  input Order { by: By! = ID }
  input Rename { id: ID!  name: String }
`;

for (const [what, from, to, change] of [
  ["a field that is gone", "name: String!  state", "state", "Contact.name was removed."],
  ["a field that may be null now", "name: String!  state", "name: String  state", "Contact.name changed type from String! to String."],
  ["a field of another type", "state: State", "state: String", "Contact.state changed type from State to String."],
  ["a type that is gone", "input Rename { id: ID!  name: String }", "", "Rename was removed."],
  ["an argument that is gone", "first: Int = 20, ", "", "Query.contacts arg first was removed."],
  ["an argument that is needed now", "first: Int = 20", "first: Int = 20, of: ID!", "A required arg of on Query.contacts was added."],
  ["an argument's other default", "first: Int = 20", "first: Int = 10", "Query.contacts arg first has changed defaultValue from 20 to 10."],
  ["an input's field that is needed now", "id: ID!  name: String }", "id: ID!  name: String! }", "Rename.name changed type from String to String!."],
  ["an input's new field that is needed", "id: ID!  name: String }", "id: ID!  name: String  age: Int! }", "A required field age on input type Rename was added."],
  ["an input field's other default", "by: By! = ID", "by: By! = NAME", "Order.by has changed defaultValue from ID to NAME."],
  ["an input field that lost its default", "by: By! = ID", "by: By!", "Order.by has changed defaultValue from ID to none."],
  ["an input that takes one field now", "input Rename { id: ID!  name: String }", "input Rename @oneOf { id: ID  name: String }", "Rename now takes exactly one field."],
  ["a value that is gone", "NEW OLD", "NEW", "OLD was removed from enum type State."],
  ["a value that clients do not know", "NEW OLD", "NEW OLD LOST", "LOST was added to enum type State."],
  ["an interface that is gone", "Contact implements Node", "Contact", "Contact no longer implements interface Node."],
  ["a directive that is gone", "directive @live on QUERY", "", "live was removed."],
]) {
  test(`fails: ${what}`, () => {
    let current = promised.replace(from, to);
    if (what === "a type that is gone") current = current.replace("rename(input: Rename!)", "rename(id: ID)");
    assert.notEqual(current, promised);
    const { undeclared } = compare({ promised, current, declarations: noDeclarations });
    assert.ok(undeclared.includes(change), undeclared.join("\n"));
    const declared = compare({ promised, current, declarations: `${noDeclarations}# because\n${undeclared.join("\n")}\n` });
    assert.deepEqual(declared, { undeclared: [], absent: [], renewable: true });
  });
}

for (const [what, from, to] of [
  ["a new type and field", "type Mutation", "type Team { id: ID! }  extend type Query { teams: [Team!] }  type Mutation"],
  ["an argument that may be left out", "first: Int = 20", "first: Int = 20, after: String"],
  ["an input's field that may be left out", "id: ID!  name: String }", "id: ID!  name: String  age: Int }"],
  ["an input's field that is no longer needed", "Rename { id: ID!", "Rename { id: ID"],
  ["a field that is never null now", "state: State", "state: State!"],
  ["a description", "type Contact", '"A person." type Contact'],
]) {
  test(`passes: ${what}`, () => {
    const current = promised.replace(from, to);
    assert.notEqual(current, promised);
    assert.deepEqual(compare({ promised, current, declarations: "" }), { undeclared: [], absent: [], renewable: true });
  });
}

test("fails: what is declared and is not so", () => {
  const declarations = `${noDeclarations}Contact.name was removed.\n`;
  assert.deepEqual(compare({ promised, current: promised, declarations }), { undeclared: [], absent: ["Contact.name was removed."], renewable: false });
});
