import { item, type Item } from './item.ts';

/** What went wrong between tick and forge in the program this one follows, by the number of the defect: what holds here instead. */
export const FORGE_DEFECTS: readonly Item[] = [
  item('5.4.18', 'a token that is not set is told by its variable, before anything is asked of a forge'),
  item('5.5.1', 'what is written goes to the sprint’s own forge, as what is read does'),
  item('5.5.12', 'a token goes to its own host alone, whatever variable and host an input names'),
];
