// Exits 0 when the address it is given answers with a 2xx within four seconds; the image has no curl.
const [url = ''] = process.argv.slice(2);
try {
  const response = await fetch(url, { signal: AbortSignal.timeout(4000), redirect: 'error' });
  process.exitCode = response.ok ? 0 : 1;
} catch {
  process.exitCode = 1;
}
