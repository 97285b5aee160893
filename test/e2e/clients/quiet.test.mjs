// Output of a library fails its test file, even if all tests in it pass.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import { fileURLToPath } from "node:url";

const shared = fileURLToPath(new URL("funnelgraph.mjs", import.meta.url));

for (const [what, script, want] of [
  ["no output passes", "", ""],
  ["console.log passes", "console.log('x')", ""],
  ["console.warn fails", "console.warn('x')", "console.warn: x"],
  ["console.error fails", "console.error('x')", "console.error: x"],
  ["a deprecation fails", "process.emitWarning('x', 'DeprecationWarning')", "DeprecationWarning: x"],
  ["Apollo's warnings are detected", "import('@apollo/client').then(({ gql }) => (gql`fragment A on Contact { id }`, gql`fragment A on Contact { rawId }`))", "console.warn: Warning: fragment with name A already exists"],
  ["Relay's warnings are detected", "import('relay-runtime').then(({ default: { Record } }) => Record.setValue(Record.create('1', 'Contact'), '__id', '2'))", "console.error: Warning: RelayModernRecord"],
]) {
  test(what, () => {
    const { status, stderr } = spawnSync(process.execPath, ["--conditions=development", "--import", shared, "--eval", script], {
      cwd: fileURLToPath(new URL(".", import.meta.url)),
      encoding: "utf8",
    });
    assert.equal(status, want ? 1 : 0, stderr);
    assert.ok(want ? stderr.includes(want) : stderr === "", stderr);
  });
}
