import type { Policy } from '../graph/ast.ts';
import { type Placed, childPath, walk } from '../graph/walk.ts';
import type { GraphNode } from '../graph/ast.ts';
import type { Json } from '../ports.ts';
import { EFFECT_KINDS } from '../stage/identity.ts';
import { isObject } from '../types/value.ts';
import { nodeCapabilities, nodeEffects } from './node-facts.ts';
import { type CheckProblem, problemOf } from './problem.ts';
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
export function checkPolicy(root: GraphNode, policy: Policy, check: Checking): void {
  const effects = policy.effects && knownEffects(policy.effects, check);
  const capabilities = policy.capabilities && knownCapabilities(policy.capabilities, check);
  if (policy.hosts) checkHosts(policy.hosts, check);
  for (const placed of walk(root)) {
    if (effects) refuseEffects(placed, effects, check);
    if (capabilities) refuseCapabilities(placed, capabilities, check);
    check.problems.push(...literalsOf(placed, policy));
  }
}

/** What a policy has against the addresses and credentials a node names. */
function literalsOf({ path, node }: Placed, policy: Policy): readonly CheckProblem[] {
  switch (node.op) {
    case 'RemoteStage':
      return [
        ...refusedHost(path, node.url, policy),
        ...(node.auth === undefined ? [] : refusedAuth(`${path}.auth`, node.auth, policy)),
      ];
    case 'Stage':
      return node.config ? refusedLiterals(`${path}.config`, node.config, policy) : [];
    case 'Const':
      return isObject(node.value) ? refusedLiterals(`${path}.value`, node.value, policy) : [];
    case 'Project': {
      const fields = [...node.fields].flatMap(([name, field]) =>
        'value' in field ? [[name, field.value] as const] : [],
      );
      return refusedLiterals(`${path}.fields`, Object.fromEntries(fields), policy);
    }
    case 'Sequential':
    case 'Parallel':
    case 'Branch':
    case 'Fanout':
    case 'Merge':
    case 'Retry':
    case 'Let':
    case 'Map':
      return [];
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

/** Hosts are names with or without a port: an address, a path or a pattern would allow nothing. */
function checkHosts(hosts: readonly string[], check: Checking): void {
  for (const word of hosts) {
    const url = URL.parse(`https://${word}`);
    if (url && isBareHost(url) && !word.includes('*')) continue;
    const message = `\`${word}\` is no host; write it like api.example or api.example:8443`;
    check.problem('policy.hosts', 'GRAPH_POLICY_INVALID', message, { actual: word });
  }
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

function refusedHost(path: string, address: string, policy: Policy): readonly CheckProblem[] {
  const { hosts } = policy;
  if (!hosts) return [];
  const url = URL.parse(address);
  // What is no address of the web stands for itself: a bare host, or a name nobody allows.
  const host = url === null || url.host === '' ? address : url.host;
  if (hosts.some((entry) => (url !== null && url.host !== '' ? isHostOf(entry, url) : entry === address)))
    return [];
  const facts = { expected: hosts.join(', ') || 'no host', actual: host };
  return [problemOf(path, 'GRAPH_POLICY_REFUSED', `the host ${host} is not in policy.hosts`, facts)];
}

/** Whether a word of a policy is the host of an address, with its port unless that is the scheme's own. */
function isHostOf(entry: string, url: URL): boolean {
  const allowed = URL.parse(`${url.protocol}//${entry}`);
  return (
    allowed !== null && isBareHost(allowed) && allowed.protocol === url.protocol && allowed.host === url.host
  );
}

function isBareHost(url: URL): boolean {
  return url.host !== '' && url.href === `${url.protocol}//${url.host}/`;
}

function refusedAuth(path: string, name: string, policy: Policy): readonly CheckProblem[] {
  if (!policy.auth || policy.auth.includes(name)) return [];
  const facts = { expected: policy.auth.join(', ') || 'no credential', actual: name };
  return [problemOf(path, 'GRAPH_POLICY_REFUSED', `the credential ${name} is not in policy.auth`, facts)];
}

/** What a policy has against addresses and credentials known before the run: `host`, `url`, `…_url`, `auth`, `token_env`, `…_token_env`. */
export function refusedLiterals(
  path: string,
  fields: { readonly [key: string]: Json },
  policy: Policy,
): readonly CheckProblem[] {
  return Object.entries(fields).flatMap(([name, value]) => {
    if (typeof value !== 'string') return [];
    const place = childPath(path, name);
    if (/^(?:host|url)$|_url$/u.test(name)) return refusedHost(place, value, policy);
    return /^auth$|(?:^|_)token_env$/u.test(name) ? refusedAuth(place, value, policy) : [];
  });
}
