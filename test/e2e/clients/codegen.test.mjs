// graphql-codegen's client preset generates types that compile strictly.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { after } from "node:test";
import { fileURLToPath } from "node:url";
import { generate } from "@graphql-codegen/cli";
import { isScalarType, isSpecifiedScalarType } from "graphql";
import { schema, schemaFile } from "./funnelgraph.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const project = mkdtempSync(join(tmpdir(), "funnelgraph-codegen-"));
after(() => rmSync(project, { recursive: true }));
cpSync(join(here, "codegen"), project, { recursive: true });
symlinkSync(join(here, "node_modules"), join(project, "node_modules"));

const scalars = { DateTime: "string", Decimal: "string", JSON: "unknown" };

test("every custom scalar has a TypeScript type", () => {
  const own = Object.values(schema.getTypeMap()).filter((type) => isScalarType(type) && !isSpecifiedScalarType(type));
  assert.deepEqual(own.map(({ name }) => name).sort(), Object.keys(scalars).sort());
});

test("types are generated from the schema and documents", async () => {
  const files = await generate(
    {
      schema: fileURLToPath(schemaFile),
      documents: [join(project, "app.ts")],
      generates: { [join(project, "gql") + "/"]: { preset: "client", config: { scalars, strictScalars: true, useTypeImports: true } } },
      silent: true,
    },
    false,
  );
  assert.deepEqual(files.map(({ filename }) => filename.slice(project.length + 1)).sort(), ["gql/fragment-masking.ts", "gql/gql.ts", "gql/graphql.ts", "gql/index.ts"]);
  for (const { filename, content } of files) {
    mkdirSync(dirname(filename), { recursive: true });
    writeFileSync(filename, content);
  }
});

test("the types compile strictly in an application", () => {
  const tsc = createRequire(import.meta.url).resolve("typescript/package.json").replace("package.json", "bin/tsc");
  const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, "--strict", "--noEmit", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--module", "esnext", "--moduleResolution", "bundler", "--target", "es2023", "--lib", "es2023", "app.ts"], { cwd: project, encoding: "utf8" });
  assert.equal(status, 0, stdout + stderr);
});
