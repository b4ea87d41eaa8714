import { createHash } from 'node:crypto';

/** First 16 hex digits of a token's SHA-256: tells tokens apart without being one. */
export function tokenIdOf(token: string): string {
  return createHash('sha256').update(token).digest('hex').slice(0, 16);
}

/** The same of a GitHub App's tokens for a repository, whichever was made last. */
export function appTokenIdOf(
  app: { readonly id: string; readonly installation_id: string | null },
  repo: string,
): string {
  return tokenIdOf(`app ${app.id} ${app.installation_id ?? ''} ${repo}`);
}
