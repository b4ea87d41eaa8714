import type { StageNode } from '../graph/ast.ts';
import type { Catalog, CatalogStage } from '../stage/catalog.ts';
import type { NType } from '../types/ntype.ts';
import { isRecord } from '../types/subtype.ts';
import { display } from '../types/value.ts';
import type { OpenBranch } from './branch-input.ts';
import type { ProblemCode } from './errors.ts';
import { nearestField } from './nearest-field.ts';
import { type CheckEdge, type CheckProblem, type Facts, problemOf } from './problem.ts';
import { Solver } from './solver.ts';

/** Where a node's input comes from, for the words of an error. */
export interface Edge {
  readonly kind: 'input' | 'sequential' | 'fanout' | 'merge' | 'let';
  /** Position of the producer in a Sequential, or of the target in a Fanout. */
  readonly index: number;
}

/** What flows into a node. */
interface Flow {
  readonly path: string;
  readonly from: NType;
  readonly to: NType;
  readonly gives: NType | null;
}

/** What one check collects. */
export class Checking {
  readonly solver = new Solver();
  readonly problems: CheckProblem[] = [];
  readonly warnings: string[] = [];
  readonly stages = new Map<StageNode, CatalogStage>();
  /** The stages a node's config names, for stages that call others. */
  readonly callees = new Map<StageNode, ReadonlyMap<string, CatalogStage>>();
  /** Branches over an input nothing was known of. */
  readonly branches: OpenBranch[] = [];
  readonly catalog: Catalog;
  readonly #edges: Flow[] = [];

  constructor(catalog: Catalog) {
    this.catalog = catalog;
  }

  problem(path: string, code: ProblemCode, message: string, facts: Facts = {}): void {
    this.problems.push(problemOf(path, code, message, facts));
  }

  warn(path: string, message: string): void {
    this.warnings.push(`${path}: ${message}`);
  }

  empty(path: string, op: string): void {
    this.problem(path, 'GRAPH_EMPTY_NODE', `empty ${op} node`, { kind: 'EmptyNode' });
  }

  /** Notes what flows into a node. */
  edge(flow: Flow): void {
    this.#edges.push(flow);
  }

  edges(): readonly CheckEdge[] {
    return this.#edges.map(({ path, from, to, gives }) => ({
      path,
      from: this.show(from),
      to: this.show(to),
      gives: gives && this.show(gives),
    }));
  }

  /** A type as people read it, with what is known of its variables. */
  show(type: NType): string {
    return display(this.solver.resolve(type));
  }

  /** {@link show} at any length. */
  showAll(type: NType): string {
    return display(this.solver.resolve(type), Number.POSITIVE_INFINITY);
  }

  /** Notes a problem when what arrives does not fit what the node takes. */
  fit(path: string, given: NType, taken: NType, edge: Edge): void {
    const reason = this.solver.fits(given, taken);
    if (reason === null) return;
    // A failed check takes back what it decided: this is what came in.
    const before = this.solver.resolve(given);
    const actual = display(before);
    const expected = this.show(taken);
    const close = nearestField(before, this.solver.resolve(taken));
    const hint = close === null ? '' : `; did you mean \`${close}\`?`;
    const { kind, words } = wordsOf(edge);
    this.problem(path, 'GRAPH_TYPE_MISMATCH', `${words(actual, expected)}: ${short(reason)}${hint}`, {
      kind,
      expected,
      actual,
      nearest: close,
    });
  }

  /** Whether fields of the type may still be found: it is, or rests on, a variable nothing flowed into. */
  isOpen(type: NType): boolean {
    const at = this.solver.shallow(type);
    if (at.kind === 'RecordWith') return this.isOpen({ kind: 'Var', value: at.value.rest });
    return at.kind === 'Var';
  }

  /** Whether a value of the type may be an object at run time. */
  mayBeObject(type: NType): boolean {
    const at = this.solver.shallow(type);
    if (at.kind === 'Union') return at.value.some((variant) => this.mayBeObject(variant));
    if (at.kind === 'Refined') return this.mayBeObject(at.value.base);
    return isRecord(at) || at.kind === 'Map' || at.kind === 'Var' || at.kind === 'Any' || at.kind === 'VNode';
  }
}

/** A reason of readable length. */
function short(reason: string): string {
  return reason.length > 600 ? `${reason.slice(0, 600)}…` : reason;
}

type Words = (actual: string, expected: string) => string;

function wordsOf(edge: Edge): { readonly kind: string; readonly words: Words } {
  switch (edge.kind) {
    case 'fanout':
      return {
        kind: 'FanoutInputMismatch',
        words: (actual, expected) =>
          `fanout target ${edge.index}: source output ${actual} is not subtype of target input ${expected}`,
      };
    case 'merge':
      return {
        kind: 'MergeOutputMismatch',
        words: (actual, expected) =>
          `merge: merged type ${actual} is not subtype of target input ${expected}`,
      };
    case 'sequential':
      return {
        kind: 'SequentialTypeMismatch',
        words: (actual, expected) =>
          `type mismatch at position ${edge.index}: output ${actual} is not subtype of input ${expected}`,
      };
    case 'let':
    case 'input':
      return {
        kind: 'SequentialTypeMismatch',
        words: (actual, expected) => `type mismatch: ${actual} is not subtype of input ${expected}`,
      };
  }
}
