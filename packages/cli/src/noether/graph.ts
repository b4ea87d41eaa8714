import { resolve } from 'node:path';

import { loadGraph } from '@caloron/scheduler/runtime';
import { Command } from 'commander';

import { runCommand } from '../context.ts';
import type { Io } from '../output.ts';

/** `noether graph GRAPH`: the parsed graph as JSON. */
export function graphCommand(io: Io): Command {
  const command = new Command('graph')
    .description('the parsed graph as JSON')
    .argument('<graph>', 'path of the graph')
    .action((path: string) =>
      runCommand(command, io, ({ cwd }) => {
        const graph = loadGraph(resolve(cwd, path));
        return Promise.resolve({ data: graph, text: JSON.stringify(graph, null, 2) });
      }),
    );
  return command;
}
