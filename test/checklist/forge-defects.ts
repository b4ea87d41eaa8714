import { item, type Item } from './item.ts';

/** What went wrong between tick and forge in the program this one follows, by the number of the defect: what holds here instead. */
export const FORGE_DEFECTS: readonly Item[] = [
  item('5.4.3', 'the address of a poll carries no time: none can be refused for how it is written'),
  item('5.4.4', 'labels are told by difference: what stood there before is told once'),
  item('5.4.5', 'a list is read to the cursor over all its pages'),
  item('5.4.7', 'an idle tick asks three times, whatever the number of open pull requests'),
  item('5.4.8', 'who opens, approves or says something moves a task only where the sprint lets them'),
  item('5.4.9', 'a verdict that is dismissed is taken back'),
  item('5.4.10', 'a deleted account, a label that is none: read as nobody and nothing'),
  item('5.4.11', 'a record without a time does not take the tick with it'),
  item('5.4.12', 'what happens in the second of a poll is given once, and is given'),
  item('5.4.13', 'a poll goes on from what it has read, by the forge’s clock; what shows late is found'),
  item('5.4.16', 'a host that hangs, fails or limits is left alone for a while, and ticks go on'),
  item('5.4.15', 'a repository that is not there, or may not be seen, is an error and no silence'),
  item('5.4.17', 'a number of an issue is a number everywhere'),
  item('5.4.18', 'a token that is not set is told by its variable, before anything is asked of a forge'),
  item('5.4.19', 'every event has an id, by which it is taken once'),
  item('5.5.1', 'what is written goes to the sprint’s own forge, as what is read does'),
  item('5.5.2', 'a broken answer, an empty one or one that never ends is a failure of its request alone'),
  item('5.5.5', 'a merge is of the approved head alone, and each refusal of it has its own answer'),
  item('5.5.9', 'an escalation is one issue per cause, and reaches those who can answer it'),
  item('5.5.12', 'a token goes to its own host alone, whatever variable and host an input names'),
];
