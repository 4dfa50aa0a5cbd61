import type { Plan } from '../../output/answers/index.ts';
import type { Runtime } from '../../runtime/runtime.ts';

/**
 * The dry run of a verb that only writes to a journal, or rolls a sequence back. Resolves to the
 * exit code.
 */
export async function showJournalPlan(
  runtime: Runtime,
  journal: Pick<Plan['journals'][number], 'id' | 'name' | 'end'>,
  head: string,
): Promise<number> {
  const { showPlan } = await import('../../plan/plan.ts');
  const journals = [{ ...journal, waitsFor: [] }];
  showPlan(runtime, { steps: [], refused: [], journals }, { head: [head] });
  return 0;
}
