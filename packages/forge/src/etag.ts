import { createHash } from 'node:crypto';

/** A weak tag of what a caller is shown: the body and the links to other pages. */
export function etagOf(body: string, link: string | undefined): string {
  const hash = createHash('sha256')
    .update(body)
    .update('\0')
    .update(link ?? '');
  return `W/"${hash.digest('hex')}"`;
}

/** Whether an If-None-Match header names the tag; weak comparison, `*` names all. */
export function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  const opaque = etag.replace(/^W\//, '');
  return header
    .split(',')
    .map((part) => part.trim())
    .some((part) => part === '*' || part.replace(/^W\//, '') === opaque);
}
