import { originalStages } from '@caloron/noether/records';

/**
 * Stages of the original sprint system, which were Python files: name and the ids its published graphs used for it, whole or as the
 * eight digits they were written with.
 */
const SPRINT_STAGES: readonly (readonly [name: string, ...ids: string[]])[] = [
  ['analyze_sprint_feedback', '25c5249d'],
  ['build_tick_output', '331d4bebbf8ed3e92f9f10da07256f020ea6d79877f5da9d3c5f3793abcb1190'],
  ['check_agent_health', '4d2ac583', 'ff7dce411aff14f72e0845b846c048d9621ed7f4d2ce4352155db207bab759ce'],
  ['collect_sprint_feedback', 'fd9ee836'],
  ['compute_sprint_kpis', 'b9edfdd6'],
  ['dag_evaluate', '7707fb69', '151f096db2ccb66365ce410abaa6293056560a00f0e8ee415e9524b6fa16f5ac'],
  ['dag_is_complete', 'a3499939'],
  ['dag_validate', '77ddc789'],
  ['decide_intervention', '4386dc57', 'bc5f4ae8e12d9404c9bb956a58a5dbb731c344bf09f37bbcc1414cd54d7c20ae'],
  ['execute_actions', 'b8e3da9c', 'a9c3321131fe4ec3cb7c97b61308f0a27e8970ae8afd4dd677318bcaeba00fdc'],
  ['fetch_repo_context', '6fcd608e'],
  ['generate_sprint_dag', '11e6cba0'],
  ['github_create_issue', '3261641e'],
  ['github_poll_events', '88a43628', '3634f9acd193c77d4c4a29c3665897ac496e28f5f5aba821040eec7fac74f085'],
  ['http_post', '5b451127'],
  ['kv_get', '339bd6d0'],
  ['kv_set', '9d885082'],
  ['load_tick_state', '3aa3acb602dc489bd851736c9d373a433fbb15059aac85370c2c3f83cad3cd38'],
  ['project_all_to_execute', '368dc85ce4cdf25d2fceee5b59d84e4593c6a181face136ea5956f335466169e'],
  ['project_health_to_intervention', 'd5a3d83babf00ea024e38d59836df644e0a6aae49d680de8021da374a7313ca5'],
  ['project_poll_to_eval', '3b3d60ca653a1e3e9730470d86b17dc5e3534fabf13e39c57cb0bd90ed59701b'],
  ['save_tick_state', 'a1c41f8dc1de5b3292daf3a01e08b1f2cc74ede67382ad111030482aaf615211'],
  ['write_file', '5867b11d'],
  ['write_retro_report', 'def26bd3'],
];

/** What stands in for a stage of the original sprint system that is not one here. */
const IN_ITS_PLACE: ReadonlyMap<string, string> = new Map([
  ['load_tick_state', 'load_sprint and load_agents read the state, as compositions/sprint_tick.json shows'],
  ['save_tick_state', 'commit_tick writes the state, as compositions/sprint_tick.json shows'],
  ['project_poll_to_eval', 'a Project node builds the record'],
  ['project_health_to_intervention', 'a Project node builds the record'],
  ['project_all_to_execute', 'a Project node builds the record'],
  ['unblocked_tasks', 'dag_evaluate starts what is unblocked'],
  ['get_pr_status', 'github_poll_events and github_poll_checks tell the state of pull requests'],
  ['design_po', 'kickoff makes the plan: compositions/kickoff.json'],
  ['architect_po', 'kickoff makes the plan: compositions/kickoff.json'],
  ['dev_po', 'kickoff makes the plan: compositions/kickoff.json'],
  ['review_po', 'reviews are a part of every sprint'],
  ['phases_to_sprint_tasks', 'kickoff makes the plan: compositions/kickoff.json'],
]);

/** Written by the original in the place of an id that its registration was to fill in. */
const PLACEHOLDER = 'REGISTER:';
/** Fewest digits of an id that name a stage; the original's graphs wrote eight. */
const SHORTEST = 8;

/** Id → name, of the original's standard library and of its sprint stages. */
const KNOWN: readonly (readonly [id: string, name: string])[] = [
  ...originalStages.flatMap(({ name, id, signature_id }) => [
    [id, name] as const,
    [signature_id, name] as const,
  ]),
  ...SPRINT_STAGES.flatMap(([name, ...ids]) => ids.map((id) => [id, name] as const)),
];

/** The name of the original's stage that an id, a beginning of one, or a placeholder means; null when none or several are. */
export function originalName(reference: string): string | null {
  if (reference.startsWith(PLACEHOLDER)) return reference.slice(PLACEHOLDER.length);
  const hex = reference.toLowerCase();
  if (hex.length < SHORTEST || !/^[0-9a-f]+$/u.test(hex)) return null;
  // A known id may be the beginning that was written, or what was written the beginning of a known id.
  const names = new Set(
    KNOWN.filter(
      ([id]) => id === hex || id.startsWith(hex) || (id.length === SHORTEST && hex.startsWith(id)),
    ).map(([, name]) => name),
  );
  const [name] = names;
  return names.size === 1 && name !== undefined ? name : null;
}

/** What to do about a stage of the original's that is not here. */
export function replacementFor(name: string): string {
  return (
    IN_ITS_PLACE.get(name) ??
    'write it as a stage of this program (docs/stages.md), or put it behind a RemoteStage node'
  );
}
