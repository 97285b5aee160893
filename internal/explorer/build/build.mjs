// Takes GraphiQL's browser files out of the npm packages of package-lock.json,
// unchanged but for their comments that point to source maps, compresses them,
// and puts them into ../assets together with the licences of all that is in
// them. Nothing is bundled, so the result is the same on every machine.
//
//   npm ci && npm run build    writes ../assets
//   npm ci && npm run check    compares ../assets, and writes nothing
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { constants, gunzipSync, gzipSync } from 'node:zlib';

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, 'node_modules');
const assets = join(here, '..', 'assets');

const files = {
  'react.js': 'react/umd/react.production.min.js',
  'react-dom.js': 'react-dom/umd/react-dom.production.min.js',
  'graphiql.js': 'graphiql/graphiql.min.js',
  'graphiql.css': 'graphiql/graphiql.min.css',
  'plugin-explorer.js': '@graphiql/plugin-explorer/dist/index.umd.js',
  'plugin-explorer.css': '@graphiql/plugin-explorer/dist/style.css',
};

const built = new Map();
for (const [name, source] of Object.entries(files)) {
  const text = readFileSync(join(modules, source), 'utf8');
  built.set(name, text.replace(/\n?(\/\/|\/\*)# sourceMappingURL=[^\n]*\n?$/, '\n'));
}
built.set('LICENSES.txt', licenses());

if (process.argv.includes('--check')) {
  const stale = [...built].filter(([name, text]) => {
    const path = join(assets, `${name}.gz`);
    return !existsSync(path) || gunzipSync(readFileSync(path)).toString('utf8') !== text;
  }).map(([name]) => name);
  const extra = readdirSync(assets).filter((name) => !built.has(name.replace(/\.gz$/, '')));
  if (stale.length + extra.length > 0) {
    console.error(`assets differ from the packages: ${[...stale, ...extra].join(', ')}; run npm run build`);
    process.exit(1);
  }
  console.log(`${built.size} assets are what the packages hold`);
} else {
  rmSync(assets, { recursive: true, force: true });
  mkdirSync(assets);
  for (const [name, text] of built) {
    const packed = gzipSync(text, { level: constants.Z_BEST_COMPRESSION });
    packed[9] = 255; // the operating system's byte: "unknown"
    writeFileSync(join(assets, `${name}.gz`), packed);
    console.log(`${name}: ${Buffer.byteLength(text)} bytes, ${packed.length} compressed`);
  }
}

// licenses returns the licence of every package installed, each of which may be
// in the browser files.
function licenses() {
  const lock = JSON.parse(readFileSync(join(here, 'package-lock.json'), 'utf8'));
  const parts = [];
  for (const path of Object.keys(lock.packages).filter(Boolean).sort()) {
    const folder = join(here, path);
    if (!existsSync(folder)) continue; // for another operating system
    const about = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const file = readdirSync(folder).filter((name) => /^licen[cs]e/i.test(name)).sort()[0];
    const text = file
      ? readFileSync(join(folder, file), 'utf8').replace(/\r\n/g, '\n').trim()
      : `Licence: ${about.license}. The package has no licence file; see ${about.repository?.url ?? about.repository ?? about.homepage}.`;
    parts.push(`${about.name} ${about.version}\n\n${text}\n`);
  }
  return parts.join(`\n${'-'.repeat(80)}\n\n`);
}
