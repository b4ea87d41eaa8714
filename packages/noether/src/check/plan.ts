import type { GraphNode } from '../graph/ast.ts';
import { childPath } from '../graph/walk.ts';
import type { CatalogStage } from '../stage/catalog.ts';
import { stagesOf } from './node-facts.ts';
import type { CheckPlan, PlanCost, PlanStep } from './problem.ts';
import type { Checking } from './state.ts';

/** The steps whose outputs a node's input is made of. */
type Sources = readonly number[];

/** The order a graph's stages wait for each other in, after the original's planner; informational: the runner walks the graph. */
export function planOf(root: GraphNode, check: Checking): CheckPlan {
  const planning = new Planning(check);
  planning.visit(root, 'root', []);
  return { steps: planning.steps, groups: planning.groups, cost: staticCost(planning.stages) };
}

/** Declared cents of every stage call of a graph: both arms of a Branch, a Retry and the stages a node names once. */
export function staticCents(root: GraphNode, check: Checking): number {
  const planning = new Planning(check);
  planning.visit(root, 'root', []);
  return staticCost(planning.stages).cents ?? 0;
}

class Planning {
  readonly steps: PlanStep[] = [];
  readonly groups: (readonly number[])[] = [];
  /** The stages of the steps and those they call. */
  readonly stages: CatalogStage[] = [];
  readonly #check: Checking;

  constructor(check: Checking) {
    this.#check = check;
  }

  /** Adds the steps of a node that waits for `sources`; gives what the next node waits for. */
  visit(node: GraphNode, path: string, sources: Sources): Sources {
    switch (node.op) {
      case 'Stage': {
        const called = stagesOf(node, this.#check);
        const [entry] = called;
        if (!entry) return sources;
        this.stages.push(...called);
        const index = this.steps.length;
        const { name: stage, id: stage_id } = entry.record;
        this.steps.push({ index, path, stage, stage_id, depends_on: sources });
        return [index];
      }
      case 'RemoteStage':
      case 'Const':
      case 'Project':
        return sources;
      case 'Sequential':
        return node.stages.reduce(
          (from, stage, i) => this.visit(stage, `${path}.stages[${i}]`, from),
          sources,
        );
      case 'Parallel':
        return this.#atOnce(named(`${path}.branches`, node.branches), sources);
      case 'Branch': {
        const chosen = this.visit(node.predicate, `${path}.predicate`, sources);
        const arms = (['if_true', 'if_false'] as const).map((arm) =>
          this.visit(node[arm], `${path}.${arm}`, chosen),
        );
        return together(arms);
      }
      case 'Fanout':
        return this.#atOnce(
          indexed(`${path}.targets`, node.targets),
          this.visit(node.source, `${path}.source`, sources),
        );
      case 'Merge':
        return this.visit(
          node.target,
          `${path}.target`,
          this.#atOnce(indexed(`${path}.sources`, node.sources), sources),
        );
      case 'Retry':
      case 'Map':
        return this.visit(node.stage, `${path}.stage`, sources);
      case 'Let': {
        const bound = this.#atOnce(named(`${path}.bindings`, node.bindings), sources);
        return this.visit(node.body, `${path}.body`, together([sources, bound]));
      }
    }
  }

  /** Nodes that wait for the same; their first steps are a group. */
  #atOnce(nodes: readonly (readonly [string, GraphNode])[], sources: Sources): Sources {
    const first: number[] = [];
    const outputs = nodes.map(([path, node]) => {
      const next = this.steps.length;
      const output = this.visit(node, path, sources);
      if (this.steps.length > next) first.push(next);
      return output;
    });
    if (first.length > 1) this.groups.push(first);
    return together(outputs);
  }
}

function named(
  path: string,
  nodes: ReadonlyMap<string, GraphNode>,
): readonly (readonly [string, GraphNode])[] {
  return [...nodes].map(([name, node]) => [childPath(path, name), node]);
}

function indexed(path: string, nodes: readonly GraphNode[]): readonly (readonly [string, GraphNode])[] {
  return nodes.map((node, i) => [`${path}[${i}]`, node]);
}

function together(sources: readonly Sources[]): Sources {
  return [...new Set(sources.flat())].sort((a, b) => a - b);
}

function staticCost(stages: readonly CatalogStage[]): PlanCost {
  const declared = (of: (entry: CatalogStage) => number | undefined): readonly number[] =>
    stages.map((entry) => of(entry) ?? 0);
  const sum = (values: readonly number[]): number | null =>
    values.reduce((total, value) => total + value, 0) || null;
  return {
    time_ms_p50: sum(declared(({ record }) => record.cost.time_ms_p50)),
    tokens_est: sum(declared(({ record }) => record.cost.tokens_est)),
    memory_mb:
      declared(({ record }) => record.cost.memory_mb).reduce((most, mb) => Math.max(most, mb), 0) || null,
    cents: sum(declared(({ effective_effects }) => centsOf(effective_effects))),
  };
}

/** Declared price of one call, cents. */
function centsOf(effects: CatalogStage['effects']): number {
  return effects.reduce((sum, effect) => sum + Number(effect['cents'] ?? 0), 0);
}
