import type { FanoutNode, GraphNode, LetNode, MergeNode, StageNode } from '../graph/ast.ts';
import type { CatalogStage } from '../stage/catalog.ts';
import { ANY, BOOL, type Fields, type NType, fieldEntries, fieldType, list, record } from '../types/ntype.ts';
import { show } from '../types/show.ts';
import { hasVariables, mismatch } from '../types/subtype.ts';
import { union } from '../types/union.ts';
import { OriginalUnifier } from './original-unify.ts';

/** One error of the original's checker. */
export interface OriginalError {
  readonly kind: string;
  /** Null for failed unification: the original's text prints its internals. */
  readonly display: string | null;
}

/** What the original's checker answers. */
export type OriginalVerdict =
  | { readonly ok: true; readonly input: string; readonly output: string }
  | { readonly ok: false; readonly errors: readonly OriginalError[] };

interface Ends {
  readonly input: NType;
  readonly output: NType;
}

/** Where an edge lies, in the words of its errors. */
interface OriginalEdge {
  readonly kind: string;
  /** The text before the reason. */
  readonly words: (from: string, to: string) => string;
}

/** The stage the original's checker takes a node for: the Active one of a signature, else an exact Active id. */
export function originalStage(stages: readonly CatalogStage[], node: StageNode): CatalogStage | undefined {
  const exact = stages.find(({ record: { id } }) => id === node.id);
  if (node.pinning === 'both') return exact;
  const [first] = stages
    .filter(({ record: { signature_id, lifecycle } }) => lifecycle === 'Active' && signature_id === node.id)
    .toSorted((a, b) => (a.record.id < b.record.id ? -1 : 1));
  return first ?? (exact?.record.lifecycle === 'Active' ? exact : undefined);
}

/** The original's checker: every node bottom-up, then the edges between its children. */
export class OriginalChecker {
  readonly errors: OriginalError[] = [];
  readonly #stages: readonly CatalogStage[];
  readonly #unifier = new OriginalUnifier();

  constructor(stages: readonly CatalogStage[]) {
    this.#stages = stages;
  }

  /** Its verdict on a whole graph. */
  verdict(root: GraphNode): OriginalVerdict {
    const ends = this.#node(root);
    if (this.errors.length > 0 || ends === null) return { ok: false, errors: this.errors };
    const shown = (type: NType): string => show(this.#unifier.apply(type));
    return { ok: true, input: shown(ends.input), output: shown(ends.output) };
  }

  #node(node: GraphNode): Ends | null {
    switch (node.op) {
      case 'Stage':
        return this.#stage(node);
      case 'RemoteStage':
        return { input: node.input, output: node.output };
      case 'Const':
        return { input: ANY, output: ANY };
      case 'Sequential':
        return this.#sequential(node.stages);
      case 'Parallel':
        return this.#parallel([...node.branches]);
      case 'Branch':
        return this.#branch(node.predicate, node.if_true, node.if_false);
      case 'Fanout':
        return this.#fanout(node);
      case 'Merge':
        return this.#merge(node);
      case 'Retry':
        return this.#node(node.stage);
      case 'Let':
        return this.#let(node);
      case 'Map':
      case 'Project':
        throw new Error(`the original has no ${node.op}`);
    }
  }

  #error(kind: string, display: string | null): null {
    this.errors.push({ kind, display });
    return null;
  }

  #stage(node: StageNode): Ends | null {
    const entry = originalStage(this.#stages, node);
    if (!entry) return this.#error('StageNotFound', `stage ${node.id} not found in store`);
    return { input: this.#configured(entry.input, node), output: entry.output };
  }

  #configured(input: NType, { config }: StageNode): NType {
    if (config === null || Object.keys(config).length === 0 || input.kind !== 'Record') return input;
    const left = fieldEntries(input.value).filter(([name]) => !Object.hasOwn(config, name));
    return left.length <= 1 ? ANY : record(Object.fromEntries(left));
  }

  #sequential(stages: readonly GraphNode[]): Ends | null {
    if (stages.length === 0) return this.#error('EmptyNode', 'empty Sequential node');
    const all = stages.map((stage) => this.#node(stage));
    for (const [i, to] of all.entries()) {
      const from = all[i - 1];
      if (from && to) this.#edge(from.output, to.input, sequentialEdge(i - 1));
    }
    const [first, last] = [all[0], all.at(-1)];
    return first && last ? { input: first.input, output: last.output } : null;
  }

  #parallel(branches: readonly (readonly [string, GraphNode])[]): Ends | null {
    if (branches.length === 0) return this.#error('EmptyNode', 'empty Parallel node');
    const all = branches.map(([name, branch]) => [name, this.#node(branch)] as const);
    const side = (end: 'input' | 'output'): NType =>
      record(Object.fromEntries(all.map(([name, ends]) => [name, ends?.[end] ?? ANY])));
    return all.every(([, ends]) => ends) ? { input: side('input'), output: side('output') } : null;
  }

  #branch(predicate: GraphNode, if_true: GraphNode, if_false: GraphNode): Ends | null {
    const [decides, yes, no] = [this.#node(predicate), this.#node(if_true), this.#node(if_false)];
    if (decides) this.#edge(decides.output, BOOL, PREDICATE);
    if (!decides || !yes || !no) return null;
    return { input: decides.input, output: union([yes.output, no.output]) };
  }

  #fanout(node: FanoutNode): Ends | null {
    if (node.targets.length === 0) return this.#error('EmptyNode', 'empty Fanout node');
    const source = this.#node(node.source);
    const targets = node.targets.map((target) => this.#node(target));
    for (const [i, target] of targets.entries()) {
      if (source && target) this.#edge(source.output, target.input, fanoutEdge(i));
    }
    const outputs = targets.flatMap((target) => (target ? [target.output] : []));
    if (!source || outputs.length < targets.length) return null;
    return { input: source.input, output: list(union(outputs)) };
  }

  #merge(node: MergeNode): Ends | null {
    if (node.sources.length === 0) return this.#error('EmptyNode', 'empty Merge node');
    const sources = node.sources.map((source) => this.#node(source));
    const target = this.#node(node.target);
    const side = (end: 'input' | 'output'): NType =>
      record(Object.fromEntries(sources.map((ends, i) => [`source_${i}`, ends?.[end] ?? ANY])));
    if (!target || !sources.every((ends) => ends)) return null;
    this.#edge(side('output'), target.input, MERGE);
    return { input: side('input'), output: target.output };
  }

  #let(node: LetNode): Ends | null {
    if (node.bindings.size === 0) return this.#error('EmptyNode', 'empty Let node');
    const bindings = [...node.bindings].map(([name, binding]) => [name, this.#node(binding)] as const);
    const body = this.#node(node.body);
    if (!body || !bindings.every(([, ends]) => ends)) return null;
    const inputs = bindings.flatMap(([, ends]) => (ends ? [this.#unifier.apply(ends.input)] : []));
    const needed = new Map(
      inputs.flatMap((input) => (input.kind === 'Record' ? fieldEntries(input.value) : [])),
    );
    const given: Fields = Object.fromEntries(bindings.map(([name, ends]) => [name, ends?.output ?? ANY]));
    const takes = this.#unifier.apply(body.input);
    for (const [name, type] of takes.kind === 'Record' ? fieldEntries(takes.value) : []) {
      const source = fieldType(given, name) ?? needed.get(name);
      if (source) this.#edge(source, type, sequentialEdge(0));
      else needed.set(name, type);
    }
    const unknown = needed.size === 0 || inputs.some(({ kind }) => kind !== 'Record');
    return { input: unknown ? ANY : record(Object.fromEntries(needed)), output: body.output };
  }

  #edge(output: NType, input: NType, edge: OriginalEdge): void {
    const [from, to] = [this.#unifier.apply(output), this.#unifier.apply(input)];
    if (hasVariables(from) || hasVariables(to)) {
      if (this.#unifier.unify(from, to) !== null) this.#error('UnificationFailure', null);
      return;
    }
    const reason = mismatch(from, to, { compat: true });
    if (reason === null) return;
    const words = edge.words(show(from), show(to));
    this.#error(edge.kind, edge === PREDICATE ? words : `${words}: ${reason}`);
  }
}

const sequentialEdge = (index: number): OriginalEdge => ({
  kind: 'SequentialTypeMismatch',
  words: (from, to) => `type mismatch at position ${index}: output ${from} is not subtype of input ${to}`,
});

const fanoutEdge = (index: number): OriginalEdge => ({
  kind: 'FanoutInputMismatch',
  words: (from, to) => `fanout target ${index}: source output ${from} is not subtype of target input ${to}`,
});

const MERGE: OriginalEdge = {
  kind: 'MergeOutputMismatch',
  words: (from, to) => `merge: merged type ${from} is not subtype of target input ${to}`,
};

const PREDICATE: OriginalEdge = {
  kind: 'BranchPredicateNotBool',
  words: (from) => `branch predicate must produce Bool, got ${from}`,
};
