import { item, type Item } from './item.ts';

/** What users of agent runners ask for; numbered like the list it was taken from, of which these are kept. */
export const CAPABILITIES: readonly Item[] = [
  item('G1', 'an agent is judged by evidence, and the verdict can be taken back'),
  item('G2', 'work is saved before anything is ended, reused or removed'),
  item('G3', 'the base of a branch is recorded, and looked at again before review and merge'),
  item('G4', 'a provider’s limit parks tasks until it ends, and nothing is started into it'),
  item('G5', 'a budget reserves before it spends, and asks before it ends anything'),
  item('G8', 'done is what passed on the very commit, run by the harness and not said by an agent'),
  item('G9', 'one orchestrator per issue, across machines: the others wait, and take over when it is gone'),
  item('G10', 'rounds of review are counted: after the last a person decides, and nothing is merged'),
  item('G11', 'agents outlive the shell and are adopted, never doubled'),
  item('G13', 'a disk that fills up starts nothing, and what nobody needs is removed by its kind'),
  item('G19', 'an agent’s environment is an allow-list, and secrets are hidden before they are written'),
];
