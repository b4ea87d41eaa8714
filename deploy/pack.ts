import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { execa } from 'execa';

import { PRODUCTS } from './products.ts';
import { stageProduct } from './stage-product.ts';

// Packs the built packages, a tarball per product, and prints their paths. `pnpm pack:bins` builds before.
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { to: { type: 'string', default: 'packed' } },
});
const to = resolve(values.to);
mkdirSync(to, { recursive: true });
const unknown = positionals.filter((name) => !PRODUCTS.some((product) => product.name === name));
if (unknown.length > 0) {
  const names = PRODUCTS.map(({ name }) => name).join(', ');
  throw new Error(`no product is called ${unknown.join(', ')}: expected ${names}`);
}
for (const product of PRODUCTS) {
  if (positionals.length > 0 && !positionals.includes(product.name)) continue;
  const folder = mkdtempSync(join(tmpdir(), 'caloron-pack-'));
  try {
    stageProduct(product, folder);
    const { stdout } = await execa('npm', ['pack', '--silent', '--pack-destination', to], { cwd: folder });
    process.stdout.write(`${join(to, stdout.trim())}\n`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
