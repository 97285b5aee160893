// Finds changes of the promised schema that may break clients.
import { readFileSync } from "node:fs";
import { astFromValue, buildSchema, findBreakingChanges, findDangerousChanges, isInputObjectType, print } from "graphql";

export const promisedFile = new URL("promised.graphql", import.meta.url);
export const declarationsFile = new URL("breaking-changes.txt", import.meta.url);

/** The content of breaking-changes.txt without declarations. */
export const noDeclarations = `# Changes since promised.graphql that may break clients, one in each line, in the words
# of the test. Comment lines give the reasons.
`;

// Changes that graphql-js calls dangerous may change responses. These do not: a client
// that omits the new argument or field gets the same response as before.
const harmless = new Set(["OPTIONAL_ARG_ADDED", "OPTIONAL_INPUT_FIELD_ADDED"]);

/** Returns a description of each change that may break a client. */
function breaking(promised, current) {
  const [before, now] = [buildSchema(promised), buildSchema(current)];
  return [
    ...findBreakingChanges(before, now),
    ...findDangerousChanges(before, now).filter(({ type }) => !harmless.has(type)),
    ...inputChanges(before, now),
  ].map(({ description }) => description);
}

/** Returns changes that graphql-js ignores: defaults of input fields, and @oneOf. */
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

/** Compares the promised schema with the current one and with the declared changes. */
export function compare({ promised, current, declarations }) {
  const found = breaking(promised, current);
  const declared = declarations.split("\n").map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));
  return {
    undeclared: found.filter((change) => !declared.includes(change)),
    absent: declared.filter((change) => !found.includes(change)),
    renewable: promised !== current,
  };
}

/** Returns the committed files as arguments of {@link compare}. */
export const committed = () => ({
  promised: readFileSync(promisedFile, "utf8"),
  current: readFileSync(new URL("../../../schema.graphql", import.meta.url), "utf8"),
  declarations: readFileSync(declarationsFile, "utf8"),
});
