import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A home of its own below the system's temporary directory. */
export function temporaryHome(): { readonly dir: string; readonly remove: () => void } {
  const dir = mkdtempSync(join(tmpdir(), 'caloron-home-'));
  mkdirSync(join(dir, '.caloron'));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}
