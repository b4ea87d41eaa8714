/** API address of github.com, which a null host stands for. */
export const GITHUB_API = 'https://api.github.com';

/** The API address a sprint's host stands for, without a trailing slash. */
export function apiUrl(host: string | null): string {
  return host === null || host === '' ? GITHUB_API : host.replace(/\/+$/, '');
}

/** Where git clones a repository: the API address without its `/api/v1` or `/api/v3`, github.com for github.com. */
export function cloneUrl(host: string | null, repo: string): string {
  const api = apiUrl(host);
  if (api === GITHUB_API) return `https://github.com/${repo}.git`;
  return `${api.replace(/\/api\/v\d+$/, '')}/${repo}.git`;
}

/** A directory name for a host: its name and port, other characters as `-`. */
export function hostDir(host: string | null): string {
  const api = apiUrl(host);
  if (api === GITHUB_API) return 'github.com';
  return new URL(api).host.replaceAll(/[^a-zA-Z0-9.-]/g, '-');
}
