// Makes the current schema the promised one: npm run promise.
import { writeFileSync } from "node:fs";
import { committed, compare, declarationsFile, noDeclarations, promisedFile } from "./promised.mjs";

const files = committed();
const { undeclared } = compare(files);
if (undeclared.length > 0) {
  console.error(`Declare these changes in test/e2e/clients/breaking-changes.txt first, since they may break clients:\n${undeclared.join("\n")}`);
  process.exit(1);
}
writeFileSync(promisedFile, files.current);
writeFileSync(declarationsFile, noDeclarations);
