import { resolve } from 'node:path';

import { canonicalText, compositionId, type Graph, graphJson, mermaidOf, walk } from '@caloron/noether';
import { codeOf } from '@caloron/noether/errors';
import { openCatalog } from '@caloron/scheduler/open-catalog';
import { loadGraph } from '@caloron/scheduler/runtime';
import { Command } from 'commander';

import { runCommand } from '../context.ts';
import { CliError } from '../errors.ts';
import type { Io } from '../output.ts';

interface Options {
  readonly mermaid?: boolean;
  readonly canonical?: boolean;
  readonly id?: boolean;
}

/** `noether graph GRAPH`: the parsed graph as JSON, as a diagram, in its canonical form, or its id. */
export function graphCommand(io: Io): Command {
  const command = new Command('graph')
    .description('the parsed graph as JSON, or as one of the options says')
    .argument('<graph>', 'path of the graph')
    .option('--mermaid', 'as a Mermaid flowchart')
    .option('--canonical', 'its canonical form: the bytes its id is the hash of')
    .option('--id', 'its composition id')
    .action((path: string, options: Options) =>
      runCommand(command, io, async ({ cwd, home }) => {
        const asked = Object.keys(options).filter((name) => ['mermaid', 'canonical', 'id'].includes(name));
        if (asked.length > 1)
          throw new CliError('CLI_USAGE', { problem: 'expected one of --mermaid, --canonical and --id' });
        const graph = loadGraph(resolve(cwd, path));
        const composition_id = compositionId(graph);
        if (options.id === true) return { data: { composition_id }, text: composition_id };
        if (options.canonical === true) {
          const canonical = canonicalText(graph.root);
          return { data: { composition_id, canonical }, text: canonical };
        }
        if (options.mermaid === true) {
          const mermaid = mermaidOf(graph, await namesOf(graph, home.stage_store));
          return { data: { composition_id, mermaid }, text: mermaid };
        }
        const written = graphJson(graph);
        return { data: written, text: JSON.stringify(written, null, 2) };
      }),
    );
  return command;
}

/** Names for the ids a graph uses; nothing is loaded for a graph of names. */
async function namesOf(graph: Graph, store: string): Promise<(reference: string) => string> {
  const ids = [...walk(graph.root)].flatMap(({ node }) =>
    node.op === 'Stage' && /^[0-9a-f]{8,64}$/u.test(node.id) ? [node.id] : [],
  );
  if (ids.length === 0) return (reference) => reference;
  const catalog = await openCatalog(graph, store, undefined, { names_only: true });
  return (reference) => {
    try {
      return catalog.resolve(reference).record.name;
    } catch (error) {
      // A stage that is not here keeps its id.
      if (codeOf(error) === 'GRAPH_STAGE_UNKNOWN' || codeOf(error) === 'GRAPH_STAGE_AMBIGUOUS')
        return reference.length === 64 ? `${reference.slice(0, 8)}…` : reference;
      throw error;
    }
  };
}
