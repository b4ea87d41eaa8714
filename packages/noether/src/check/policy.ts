import type { Policy } from '../graph/ast.ts';
import { type Placed, walk } from '../graph/walk.ts';
import type { GraphNode } from '../graph/ast.ts';
import type { Json } from '../ports.ts';
import { EFFECT_KINDS } from '../stage/identity.ts';
import { nodeCapabilities, nodeEffects } from './node-facts.ts';
import type { Checking } from './state.ts';

/** Effects every remote call has. */
export const REMOTE_EFFECTS: readonly string[] = ['Network', 'Fallible'];

/** The word policies use for an effect kind: `NonDeterministic` is `non-deterministic`. */
export function effectWord(kind: string): string {
  return kind.replace(/(?<=[a-z])(?=[A-Z])/gu, '-').toLowerCase();
}

/** Effect kind by any spelling of it policies allow. */
const KIND_OF: ReadonlyMap<string, string> = new Map(
  EFFECT_KINDS.flatMap((kind) =>
    [kind, effectWord(kind), kind.toLowerCase()].map((word): [string, string] => [word, kind]),
  ),
);

/** Checks a graph against a policy. An empty list allows nothing, an unknown word is a problem: nothing fails open. */
export function checkPolicy(root: GraphNode, policy: Policy, input: Json | undefined, check: Checking): void {
  const effects = policy.effects && knownEffects(policy.effects, check);
  const capabilities = policy.capabilities && knownCapabilities(policy.capabilities, check);
  for (const placed of walk(root)) {
    if (effects) refuseEffects(placed, effects, check);
    if (capabilities) refuseCapabilities(placed, capabilities, check);
    if (placed.node.op === 'RemoteStage') refuseHost(placed.path, placed.node.url, policy, check);
    if (placed.node.op === 'Stage' && placed.node.config)
      refuseLiterals(`${placed.path}.config`, placed.node.config, policy, check);
    if (placed.node.op === 'Project') refuseProjected(placed.path, placed.node.fields, policy, check);
  }
  if (typeof input === 'object' && input !== null && !Array.isArray(input)) {
    refuseLiterals('input', input as { readonly [key: string]: Json }, policy, check);
  }
}

function knownEffects(words: readonly string[], check: Checking): ReadonlySet<string> {
  const known = words.flatMap((word) => {
    const kind = KIND_OF.get(word);
    if (kind === undefined) invalid('policy.effects', word, EFFECT_KINDS.map(effectWord), check);
    return kind === undefined ? [] : [kind];
  });
  return new Set(known);
}

function knownCapabilities(words: readonly string[], check: Checking): ReadonlySet<string> {
  const names = new Set(check.catalog.entries.flatMap(({ stage }) => stage.capabilities));
  for (const word of words) {
    if (!/^[a-z][a-z.]*$/u.test(word)) invalid('policy.capabilities', word, [...names], check);
  }
  return new Set(words);
}

function invalid(path: string, word: string, known: readonly string[], check: Checking): void {
  check.problem(
    path,
    'GRAPH_POLICY_INVALID',
    `\`${word}\` is not known here; known are ${known.join(', ')}`,
    { actual: word },
  );
}

function refused(path: string, message: string, check: Checking): void {
  check.problem(path, 'GRAPH_POLICY_REFUSED', message);
}

function refuseEffects({ path, node }: Placed, allowed: ReadonlySet<string>, check: Checking): void {
  if (node.op === 'RemoteStage') {
    for (const kind of REMOTE_EFFECTS.filter((effect) => !allowed.has(effect))) {
      refused(
        path,
        `RemoteStage declares implicit effect ${effectWord(kind)}; grant it with policy.effects`,
        check,
      );
    }
  }
  if (node.op !== 'Stage') return;
  const entry = check.stages.get(node);
  const kinds = new Set(nodeEffects(node, check).map(({ effect }) => effect));
  for (const kind of [...kinds].filter((effect) => !allowed.has(effect))) {
    refused(
      path,
      `stage ${entry?.record.name ?? node.id} declares effect ${effectWord(kind)}; grant it with policy.effects`,
      check,
    );
  }
}

function refuseCapabilities({ path, node }: Placed, allowed: ReadonlySet<string>, check: Checking): void {
  if (node.op !== 'Stage') return;
  const entry = check.stages.get(node);
  for (const capability of nodeCapabilities(node, check).filter((name) => !allowed.has(name))) {
    refused(
      path,
      `stage ${entry?.record.name ?? node.id} requires capability ${capability} which is not granted`,
      check,
    );
  }
}

function refuseHost(path: string, address: string, policy: Policy, check: Checking): void {
  if (!policy.hosts) return;
  const host = URL.canParse(address) ? new URL(address).host : address;
  if (!policy.hosts.includes(host)) refused(path, `the host ${host} is not in policy.hosts`, check);
}

/** Addresses and token variables known before the run: `host`, `url`, `…_url` and `token_env`, `…_token_env`. */
function refuseLiterals(
  path: string,
  fields: { readonly [key: string]: Json },
  policy: Policy,
  check: Checking,
): void {
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value !== 'string') continue;
    if (/^(?:host|url)$|_url$/u.test(name)) refuseHost(`${path}.${name}`, value, policy, check);
    if (/(?:^|_)token_env$/u.test(name) && policy.auth && !policy.auth.includes(value)) {
      refused(`${path}.${name}`, `the variable ${value} is not in policy.auth`, check);
    }
  }
}

function refuseProjected(
  path: string,
  fields: ReadonlyMap<string, { readonly path: string } | { readonly value: Json }>,
  policy: Policy,
  check: Checking,
): void {
  const literals = [...fields].flatMap(([name, field]) =>
    'value' in field ? [[name, field.value] as const] : [],
  );
  refuseLiterals(`${path}.fields`, Object.fromEntries(literals), policy, check);
}
