// Changes of the schema that may break clients must be declared.
import assert from "node:assert/strict";
import test from "node:test";
import { committed, compare, noDeclarations } from "./promised.mjs";

test("all changes that may break clients are declared", (t) => {
  const { undeclared, absent, renewable } = compare(committed());
  assert.deepEqual(undeclared, [], "these changes may break clients: undo them, or declare each line in test/e2e/clients/breaking-changes.txt");
  assert.deepEqual(absent, [], "these changes are declared in test/e2e/clients/breaking-changes.txt but do not exist: remove the lines");
  if (renewable) t.diagnostic("schema.graphql differs from the promised schema. After its release: npm run --prefix test/e2e/clients promise");
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
  ["a removed field", "name: String!  state", "state", "Contact.name was removed."],
  ["a field that becomes nullable", "name: String!  state", "name: String  state", "Contact.name changed type from String! to String."],
  ["a field with another type", "state: State", "state: String", "Contact.state changed type from State to String."],
  ["a removed type", "input Rename { id: ID!  name: String }", "", "Rename was removed."],
  ["a removed argument", "first: Int = 20, ", "", "Query.contacts arg first was removed."],
  ["a new required argument", "first: Int = 20", "first: Int = 20, of: ID!", "A required arg of on Query.contacts was added."],
  ["another default of an argument", "first: Int = 20", "first: Int = 10", "Query.contacts arg first has changed defaultValue from 20 to 10."],
  ["an input field that becomes required", "id: ID!  name: String }", "id: ID!  name: String! }", "Rename.name changed type from String to String!."],
  ["a new required input field", "id: ID!  name: String }", "id: ID!  name: String  age: Int! }", "A required field age on input type Rename was added."],
  ["another default of an input field", "by: By! = ID", "by: By! = NAME", "Order.by has changed defaultValue from ID to NAME."],
  ["a removed default of an input field", "by: By! = ID", "by: By!", "Order.by has changed defaultValue from ID to none."],
  ["an input that becomes @oneOf", "input Rename { id: ID!  name: String }", "input Rename @oneOf { id: ID  name: String }", "Rename now takes exactly one field."],
  ["a removed enum value", "NEW OLD", "NEW", "OLD was removed from enum type State."],
  ["a new enum value", "NEW OLD", "NEW OLD LOST", "LOST was added to enum type State."],
  ["a removed interface", "Contact implements Node", "Contact", "Contact no longer implements interface Node."],
  ["a removed directive", "directive @live on QUERY", "", "live was removed."],
]) {
  test(`fails: ${what}`, () => {
    let current = promised.replace(from, to);
    if (what === "a removed type") current = current.replace("rename(input: Rename!)", "rename(id: ID)");
    assert.notEqual(current, promised);
    const { undeclared } = compare({ promised, current, declarations: noDeclarations });
    assert.ok(undeclared.includes(change), undeclared.join("\n"));
    const declared = compare({ promised, current, declarations: `${noDeclarations}# because\n${undeclared.join("\n")}\n` });
    assert.deepEqual(declared, { undeclared: [], absent: [], renewable: true });
  });
}

for (const [what, from, to] of [
  ["a new type and field", "type Mutation", "type Team { id: ID! }  extend type Query { teams: [Team!] }  type Mutation"],
  ["a new optional argument", "first: Int = 20", "first: Int = 20, after: String"],
  ["a new optional input field", "id: ID!  name: String }", "id: ID!  name: String  age: Int }"],
  ["an input field that becomes optional", "Rename { id: ID!", "Rename { id: ID"],
  ["a field that becomes non-null", "state: State", "state: State!"],
  ["a description", "type Contact", '"A person." type Contact'],
]) {
  test(`passes: ${what}`, () => {
    const current = promised.replace(from, to);
    assert.notEqual(current, promised);
    assert.deepEqual(compare({ promised, current, declarations: "" }), { undeclared: [], absent: [], renewable: true });
  });
}

test("fails: a declared change that does not exist", () => {
  const declarations = `${noDeclarations}Contact.name was removed.\n`;
  assert.deepEqual(compare({ promised, current: promised, declarations }), { undeclared: [], absent: ["Contact.name was removed."], renewable: false });
});
