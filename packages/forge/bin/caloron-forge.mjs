#!/usr/bin/env node
// Checks the Node version before anything is imported: an old Node would crash in a native module without a word.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    'caloron-forge needs Node 22.18 or newer; this is Node ' +
      process.versions.node +
      '.\nRun it with a newer one: npx --yes -p node@24 -p pnpm@10 pnpm exec caloron-forge\n',
  );
  process.exitCode = 1;
} else {
  const { useCompileCache } = await import('@caloron/capabilities/compile-cache');
  useCompileCache();
  const { main } = await import('../src/main.ts');
  await main(process.argv.slice(2));
}
