import { generateKeyPairSync } from 'node:crypto';
import { chmod, link, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { CodedError, messageOf } from '@caloron/noether/errors';
import { publicKeyText, signingKey, type SigningKey } from '@caloron/noether/records';
import { shellWord } from '@caloron/types';
import { z } from 'zod';

import { issuesOf, StoreError } from './errors.ts';
import { type Advice, adviceOf, withFileLock } from './stage-store-lock.ts';

/** A public key that is trusted, and whose it is. */
export interface TrustedKey {
  /** Ed25519, 64 lower-case hex digits. */
  readonly public_key: string;
  /** For people. */
  readonly name: string;
}

const Trusted = z.object({
  keys: z.array(
    z.object({
      public_key: z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hex digits'),
      name: z.string(),
    }),
  ),
});

/** Bits of a file's mode that let others than its owner at it. */
const OTHERS = 0o077;
/** Bits that let others change it. */
const OTHERS_WRITE = 0o022;

function keyFile(dir: string): string {
  return join(dir, 'author-key.hex');
}

function trustFile(dir: string): string {
  return join(dir, 'trusted-keys.json');
}

/**
 * The author's key of a Noether home, made on first use: 32 bytes as hex in `author-key.hex`, mode 0600. Several processes that
 * make it at once get the same one. Throws STORE_AUTHOR_KEY_FAILED.
 */
export async function authorKey(dir: string): Promise<SigningKey> {
  const found = await existingKey(dir);
  if (found !== null) return found;
  const file = keyFile(dir);
  const made = generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' });
  // The last 32 bytes of PKCS #8 are the secret (RFC 8410).
  const seed = made.subarray(-32).toString('hex');
  const mine = `${file}.${signingKey(seed).public_key.slice(0, 16)}`;
  try {
    await mkdir(dir, { recursive: true });
    await writeFile(mine, `${seed}\n`, { mode: 0o600, flag: 'wx' });
    await chmod(mine, 0o600);
    // A link is made whole or not at all, and never over a key that is there.
    await link(mine, file).catch((error: unknown) => {
      if (!hasCode(error, 'EEXIST')) throw error;
    });
  } catch (error) {
    throw keyFailed(file, messageOf(error), error);
  } finally {
    await rm(mine, { force: true });
  }
  const key = await existingKey(dir);
  if (key === null) throw keyFailed(file, 'it was removed while it was made');
  return key;
}

/** The author's key where there is one; null else. Throws STORE_AUTHOR_KEY_FAILED. */
async function existingKey(dir: string): Promise<SigningKey | null> {
  const file = keyFile(dir);
  let text: string;
  let mode: number;
  try {
    [text, { mode }] = await Promise.all([readFile(file, 'utf8'), stat(file)]);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw keyFailed(file, messageOf(error), error);
  }
  if ((mode & OTHERS) !== 0)
    throw new StoreError(
      'STORE_AUTHOR_KEY_FAILED',
      { file, reason: 'others than its owner can read or write it' },
      { hint: `chmod 600 ${shellWord(file)}` },
    );
  try {
    return signingKey(text.trim());
  } catch (error) {
    throw keyFailed(file, messageOf(error), undefined, KEY_UNREADABLE);
  }
}

const KEY_UNREADABLE: Advice = {
  hint: 'put the key back from a copy, or move the file away: a new key is made, and ./noether stage sync signs anew',
};

function keyFailed(
  file: string,
  reason: string,
  cause?: unknown,
  advice: Advice = adviceOf(cause),
): StoreError {
  return new StoreError('STORE_AUTHOR_KEY_FAILED', { file, reason }, { ...advice, cause });
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** The list of trusted keys; empty where there is none. Throws STORE_TRUST_INVALID. */
export async function listTrusted(dir: string): Promise<readonly TrustedKey[]> {
  const file = trustFile(dir);
  let text: string;
  let mode: number;
  try {
    [text, { mode }] = await Promise.all([readFile(file, 'utf8'), stat(file)]);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw new StoreError('STORE_TRUST_INVALID', { file, issues: [messageOf(error)] }, { cause: error });
  }
  if ((mode & OTHERS_WRITE) !== 0)
    throw new StoreError(
      'STORE_TRUST_INVALID',
      { file, issues: ['others than its owner can write it, and so say whom to trust'] },
      { hint: `chmod go-w ${shellWord(file)}` },
    );
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new StoreError('STORE_TRUST_INVALID', { file, issues: [messageOf(error)] }, { cause: error });
  }
  const parsed = Trusted.safeParse(value);
  if (!parsed.success) throw new StoreError('STORE_TRUST_INVALID', { file, issues: issuesOf(parsed.error) });
  return parsed.data.keys;
}

/** The public keys whose stages are relied on: the listed ones and the author's own, where its key can be read. */
export async function trustedKeys(dir: string): Promise<ReadonlySet<string>> {
  const listed = await listTrusted(dir);
  const own = await ownKey(dir);
  return new Set([...listed.map(({ public_key }) => public_key), ...(own === null ? [] : [own])]);
}

/** The author's public key; null where there is none or it is another user's, who has it in the list. */
async function ownKey(dir: string): Promise<string | null> {
  try {
    return (await existingKey(dir))?.public_key ?? null;
  } catch (error) {
    if (error instanceof CodedError) return null;
    throw error;
  }
}

/** Adds a key to the list, or gives a listed one another name. Gives the list. Throws STAGE_KEY_INVALID, STORE_TRUST_INVALID, STORE_STAGES_FAILED. */
export async function trustKey(dir: string, key: TrustedKey): Promise<readonly TrustedKey[]> {
  const public_key = publicKeyText(key.public_key);
  return changeTrust(dir, (keys) => [
    ...keys.filter((other) => other.public_key !== public_key),
    { public_key, name: key.name },
  ]);
}

/** Takes a key off the list. Gives the list. Throws as {@link trustKey} does. */
export async function distrustKey(dir: string, public_key: string): Promise<readonly TrustedKey[]> {
  const text = publicKeyText(public_key);
  return changeTrust(dir, (keys) => keys.filter((other) => other.public_key !== text));
}

async function changeTrust(
  dir: string,
  change: (keys: readonly TrustedKey[]) => readonly TrustedKey[],
): Promise<readonly TrustedKey[]> {
  const file = trustFile(dir);
  return withFileLock(file, async (replace) => {
    const keys = change(await listTrusted(dir));
    await replace(`${JSON.stringify({ keys }, null, 2)}\n`);
    return keys;
  });
}
