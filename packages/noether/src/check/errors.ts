/** What each code of the checker means. Those of resolution, input and lease are thrown as GraphError elsewhere. */
export const PROBLEM_MEANINGS = {
  GRAPH_TYPE_MISMATCH: 'what flows into a node does not fit what the node takes',
  GRAPH_PREDICATE_NOT_BOOL: "a Branch's predicate gives something else than Bool",
  GRAPH_EMPTY_NODE: 'an operator has no children',
  GRAPH_FIELD_MISSING: 'a path of Project or Map names a field the input cannot have',
  GRAPH_NOT_A_LIST: 'the path of a Map does not lead to a list',
  GRAPH_CONFIG_INVALID: "a literal of a stage's config does not fit its field",
  GRAPH_BRANCH_AMBIGUOUS: 'a Parallel branch has the name of an input field, but needs the whole input',
  GRAPH_POLICY_INVALID: 'a policy holds a word that is not known, and would allow or forbid nothing',
  GRAPH_POLICY_REFUSED: 'a node, a literal or the input does what a policy does not allow',
  GRAPH_BUDGET_EXCEEDED: 'the stages declare a higher cost than the budget allows',
  GRAPH_INPUT_INVALID: 'the value given to the graph does not have the type the graph needs',
  GRAPH_STAGE_UNKNOWN: 'a stage node names a stage nobody provides',
  GRAPH_STAGE_AMBIGUOUS: 'a reference fits several stages',
  GRAPH_REFERENCE_NOT_LITERAL: 'a stage that runs other stages is not told which ones by a literal in config',
  GRAPH_REFERENCE_NESTED: 'a stage named in config names other stages itself',
  STAGE_NO_CODE: 'the stage store knows the stage, but nothing here can run it',
  GRAPH_LEASE_INVALID: "the lease's name needs a text the input does not have",
} as const satisfies Readonly<Record<string, string>>;

/** Why the checker refuses a graph. */
export type ProblemCode = keyof typeof PROBLEM_MEANINGS;
