import { hash } from 'node:crypto';

import canonicalize from 'canonicalize';

/** RFC 8785 (JCS) text of a JSON value: sorted keys, ES6 numbers, minimal escapes. Undefined members are left out. */
export function canonicalJson(value: unknown): string {
  return canonicalize(value) ?? 'null';
}

/** SHA-256 of the text's UTF-8 bytes, 64 lower-case hex digits. */
export function sha256Hex(text: string): string {
  return hash('sha256', text, 'hex');
}

/** SHA-256 over the canonical JSON of a value, 64 lower-case hex digits. */
export function contentId(value: unknown): string {
  return sha256Hex(canonicalJson(value));
}
