import { item, type Item } from './item.ts';

/** What went wrong between shell, harness and agent in the program this one follows, by the number of the defect: what holds here instead. */
export const DEFECTS: readonly Item[] = [
  item('5.6.1', 'more output than a pipe holds keeps an agent from nothing, and none of it is lost'),
  item('5.6.2', 'an agent is told its worktree by its full path, and works there'),
  item('5.6.3', 'an agent is told its task, issue, repository and framework'),
  item('5.6.4', 'heartbeats arrive: from the harness, by HTTP, under the agent’s own token'),
  item('5.6.5', 'work is delivered: branch, pull request, feedback, report and exit code'),
  item('5.6.6', 'an agent can be stopped, started again, and its log read'),
  item('5.6.7', 'an agent that works is started once, and its record stays'),
  item('5.6.8', 'what is known of agents survives the shell'),
  item('5.6.9', 'a start that fails is no success, in its status and by its code'),
  item('5.6.10', 'what git does holds nobody up, and nothing is concluded from what it prints'),
  item('5.6.11', 'work starts from what the forge of its sprint has at that moment'),
  item('5.6.12', 'a branch and a worktree belong to one task'),
  item('5.6.13', 'a worktree is below the root, whoever asks for it'),
  item('5.6.14', 'the end of a process is seen, with its code'),
  item('5.6.15', 'an agent gets no token of the shell, and no key but those of its framework'),
  // Loopback stays the default on purpose: whoever holds the shell's token starts processes. Another container needs --host.
  item('5.6.16', 'the shell is reached from this machine, and from elsewhere where its config says so'),
];
