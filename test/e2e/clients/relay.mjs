// Compiles the documents of the folder relay with Relay's compiler, as an application does.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import compiler from "relay-compiler";
import { schemaFile } from "./funnelgraph.mjs";

const project = mkdtempSync(join(tmpdir(), "funnelgraph-relay-"));
after(() => rmSync(project, { recursive: true }));

mkdirSync(join(project, "artifacts"));
cpSync(fileURLToPath(schemaFile), join(project, "schema.graphql"));
cpSync(fileURLToPath(new URL("relay", import.meta.url)), join(project, "src"), { recursive: true });
writeFileSync(
  join(project, "relay.config.json"),
  JSON.stringify({
    src: "src",
    schema: "schema.graphql",
    artifactDirectory: "artifacts",
    language: "javascript",
    eagerEsModules: false,
    noSourceControl: true,
    requireCustomScalarTypes: true,
    customScalarTypes: { DateTime: "string", Decimal: "string", JSON: "unknown" },
  }),
);

/** The result of the compiler. */
export const compiled = spawnSync(compiler, { cwd: project, encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } });

/** Returns what the compiler made of a document. */
export const artifact = (name) => createRequire(join(project, "artifacts/"))(`./${name}.graphql`);
