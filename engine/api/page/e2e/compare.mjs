// Whether two folders hold the same page: `node e2e/compare.mjs BUILT COMMITTED`. Packed files are compared by what is
// in them, since other versions of zlib pack otherwise.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const [built, committed] = process.argv.slice(2);

function files(folder, within = '') {
  return readdirSync(join(folder, within))
    .sort()
    .flatMap((name) => {
      const path = join(within, name);
      return statSync(join(folder, path)).isDirectory() ? files(folder, path) : [path];
    });
}

const read = (path) => (path.endsWith('.gz') ? gunzipSync(readFileSync(path)) : readFileSync(path));

const [here, there] = [files(built), files(committed)];
const wrong = [
  ...here.filter((path) => !there.includes(path)).map((path) => `${path} is built and not committed`),
  ...there.filter((path) => !here.includes(path)).map((path) => `${path} is committed and not built`),
  ...here
    .filter((path) => there.includes(path) && !read(join(built, path)).equals(read(join(committed, path))))
    .map((path) => `${path} is built otherwise`),
];
for (const line of wrong) console.log(line);
if (wrong.length === 0) console.log(`what is committed is what the sources build: ${here.length} files`);
process.exitCode = wrong.length === 0 ? 0 : 1;
