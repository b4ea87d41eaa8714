import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { execa } from 'execa';
import { z } from 'zod';

import { temporaryHome } from '../support/home.ts';
import { ROOT } from '../support/tree.ts';
import type { Row } from './table.ts';

const RUNS = 3;
const CALORON = join(ROOT, 'packages/cli/bin/caloron.mjs');
const Answer = z.object({
  data: z.object({ home: z.string(), services: z.array(z.object({ name: z.string(), pid: z.number() })) }),
});

/** Resident memory of a process in MiB, as the kernel counts it. */
function memory(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(found?.[1] ?? Number.NaN) / 1024;
}

/** Wall time of the demo, and what its scheduler and shell hold at the end. */
export async function benchDemo(): Promise<readonly Row[]> {
  const seconds: number[] = [];
  const scheduler: number[] = [];
  const shell: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const home = temporaryHome();
    try {
      const begun = performance.now();
      const { stdout } = await execa(process.execPath, [CALORON, 'demo', '--keep', '--output', 'json'], {
        cwd: home.dir,
      });
      seconds.push((performance.now() - begun) / 1000);
      const { data } = Answer.parse(JSON.parse(stdout));
      for (const { name, pid } of data.services) {
        if (name === 'noether-scheduler') scheduler.push(memory(pid));
        if (name === 'caloron-shell') shell.push(memory(pid));
      }
      await execa(process.execPath, [CALORON, 'down', '--agents', '--home', data.home], { cwd: home.dir });
    } finally {
      home.remove();
    }
  }
  return [
    { what: 'demo, brief to report', unit: 's', values: seconds },
    { what: 'memory of the scheduler after the demo', unit: 'MiB', values: scheduler },
    { what: 'memory of the shell after the demo', unit: 'MiB', values: shell },
  ];
}
