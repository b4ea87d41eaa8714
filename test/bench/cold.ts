import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { temporaryHome } from '../support/home.ts';
import { ROOT } from '../support/tree.ts';
import type { Row } from './table.ts';

const RUNS = 20;

/** ms from the start of a Node process to its end. */
function timeOf(args: readonly string[], cwd: string): number {
  const begun = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { cwd, encoding: 'utf8' });
  const took = performance.now() - begun;
  if (status !== 0) throw new Error(`node ${args.join(' ')}: ${stderr}`);
  return took;
}

/** The start of `noether run` on a graph of one stage beside that of Node, in turn. */
export async function benchCold(): Promise<readonly Row[]> {
  const home = temporaryHome();
  const graph = join(home.dir, 'graph.json');
  writeFileSync(
    graph,
    JSON.stringify({ description: 'bench', version: '0.1.0', root: { op: 'Stage', id: 'text_upper' } }),
  );
  const bin = join(ROOT, 'packages/cli/bin/noether.mjs');
  const node: number[] = [];
  const run: number[] = [];
  try {
    for (let i = 0; i <= RUNS; i += 1) {
      const bare = timeOf(['-e', '0'], home.dir);
      const whole = timeOf([bin, 'run', graph, '--input', '"text"'], home.dir);
      // The first runs fill caches of the disk and of compiled code.
      if (i === 0) continue;
      node.push(bare);
      run.push(whole);
    }
  } finally {
    home.remove();
  }
  return [
    { what: 'start of node -e 0', unit: 'ms', values: node },
    { what: 'noether run, one stage', unit: 'ms', values: run },
  ];
}
