import { hash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

import { randomToken } from '@caloron/capabilities/random';

import { ShellError } from './errors.ts';

/** SHA-256 of a token as hex: all the store ever keeps of it. */
export function tokenHash(token: string): string {
  return hash('sha256', token, 'hex');
}

/** The shell token of a home: what the file holds; a fresh one (0600) where there is none. Throws SHELL_TOKEN_FILE. */
export function shellToken(file: string): string {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const fresh = randomToken();
  try {
    writeFileSync(file, `${fresh}\n`, { flag: 'wx', mode: 0o600 });
    return fresh;
  } catch (error) {
    if (!isExisting(error))
      throw new ShellError('SHELL_TOKEN_FILE', { file, reason: 'cannot be written' }, { cause: error });
  }
  if (!lstatSync(file).isFile())
    throw new ShellError('SHELL_TOKEN_FILE', { file, reason: 'is not a plain file' });
  const token = readFileSync(file, 'utf8').trim();
  if (token.length < 16) throw new ShellError('SHELL_TOKEN_FILE', { file, reason: 'holds no token' });
  chmodSync(file, 0o600);
  return token;
}

function isExisting(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EEXIST';
}
