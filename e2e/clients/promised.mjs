// What of the schema has changed, since it was promised to clients, that may break them.
import { readFileSync } from "node:fs";
import { astFromValue, buildSchema, findBreakingChanges, findDangerousChanges, isInputObjectType, print } from "graphql";

export const promisedFile = new URL("promised.graphql", import.meta.url);
export const declarationsFile = new URL("breaking-changes.txt", import.meta.url);

/** The declarations when there are none. */
export const noDeclarations = `# What has changed, since promised.graphql, that may break clients: a line each, as the
# test names it. Lines like these are for the reasons.
`;

// What graphql-js calls dangerous may change what a client is told. These do not: a
// client that leaves the new thing out is answered as before.
const harmless = new Set(["OPTIONAL_ARG_ADDED", "OPTIONAL_INPUT_FIELD_ADDED"]);

/** Describes each change that may break a client. */
function breaking(promised, current) {
  const [before, now] = [buildSchema(promised), buildSchema(current)];
  return [
    ...findBreakingChanges(before, now),
    ...findDangerousChanges(before, now).filter(({ type }) => !harmless.has(type)),
    ...inputChanges(before, now),
  ].map(({ description }) => description);
}

/** What graphql-js does not look at: the defaults of input fields, and @oneOf. */
function inputChanges(before, now) {
  const changes = [];
  for (const type of Object.values(before.getTypeMap())) {
    const same = now.getType(type.name);
    if (!isInputObjectType(type) || !isInputObjectType(same)) continue;
    if (same.isOneOf && !type.isOneOf) changes.push({ description: `${type.name} now takes exactly one field.` });
    for (const field of Object.values(type.getFields())) {
      const then = same.getFields()[field.name];
      const [was, is] = [field, then].map((f) => (f?.defaultValue === undefined ? "none" : print(astFromValue(f.defaultValue, f.type))));
      if (then && was !== is) changes.push({ description: `${type.name}.${field.name} has changed defaultValue from ${was} to ${is}.` });
    }
  }
  return changes;
}

/** Compares what was promised with what is, and with what is declared to have changed. */
export function compare({ promised, current, declarations }) {
  const found = breaking(promised, current);
  const declared = declarations.split("\n").map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));
  return {
    undeclared: found.filter((change) => !declared.includes(change)),
    absent: declared.filter((change) => !found.includes(change)),
    renewable: promised !== current,
  };
}

/** {@link compare}'s arguments, as they are committed. */
export const committed = () => ({
  promised: readFileSync(promisedFile, "utf8"),
  current: readFileSync(new URL("../../schema.graphql", import.meta.url), "utf8"),
  declarations: readFileSync(declarationsFile, "utf8"),
});
