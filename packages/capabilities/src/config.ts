/** Variables of this process that git may see: where programs are, and how the network is reached. */
const GIT_PASSES = [
  'PATH',
  'TMPDIR',
  'HTTPS_PROXY',
  'https_proxy',
  'HTTP_PROXY',
  'http_proxy',
  'ALL_PROXY',
  'all_proxy',
  'NO_PROXY',
  'no_proxy',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'GIT_SSL_CAINFO',
] as const;

/** The part of this process's environment that git may see; no token is among it. */
export function gitPassedEnvironment(): Readonly<Record<string, string>> {
  return Object.fromEntries(
    GIT_PASSES.flatMap((name) => {
      const value = process.env[name];
      return value === undefined || value === '' ? [] : [[name, value]];
    }),
  );
}
