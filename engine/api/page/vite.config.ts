// How the page is built: relative addresses, hashed names below `page/`, each file packed with gzip, and the table of
// files that the server includes.

import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

const FOLDER = 'page';
const TYPES: Record<string, string> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

/** Packs what was built, and lists it in `files.in`, an expression of Rust. */
function packed(): Plugin {
  return {
    name: 'packed',
    apply: 'build',
    closeBundle() {
      const folder = join(import.meta.dirname, 'dist', FOLDER);
      const lines = readdirSync(folder)
        .sort()
        .map((name) => {
          const bytes = readFileSync(join(folder, name));
          const out = gzipSync(bytes, { level: 9 });
          out[9] = 255; // the system it was packed on is not told
          writeFileSync(join(folder, `${name}.gz`), out);
          rmSync(join(folder, name));
          const type = TYPES[name.split('.').pop() ?? ''];
          if (type === undefined) throw new Error(`${name} has no content type, expected one of ${Object.keys(TYPES)}`);
          const path = `concat!(env!("CARGO_MANIFEST_DIR"), "/page/dist/${FOLDER}/${name}.gz")`;
          return `    File { name: "${name}", content_type: "${type}", packed: include_bytes!(${path}) },\n`;
        });
      writeFileSync(join(import.meta.dirname, 'dist', 'files.in'), `[\n${lines.join('')}]\n`);
    },
  };
}

const behind = process.env.SPANLOOM ?? 'http://127.0.0.1:3200';

export default defineConfig({
  base: './',
  publicDir: false,
  plugins: [packed()],
  build: {
    target: 'es2022',
    assetsDir: FOLDER,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    proxy: Object.fromEntries(['/api', '/status', '/metrics', '/ring', '/memberlist'].map((p) => [p, behind])),
  },
});
