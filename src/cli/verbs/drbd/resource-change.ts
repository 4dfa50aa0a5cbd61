import * as drbd from '../../../api/drbd.ts';
import { withBofh } from '../../../bofh.ts';
import type { Answer } from '../../output/answer.ts';
import type { DrbdChange } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import type { Runtime } from '../../runtime/runtime.ts';

/** Changes a resource on this host. The user confirms `loss` first; `done` is the new state in the answer. */
export async function changeResource(
  runtime: Runtime<DrbdChange>,
  resource: string,
  {
    act,
    done,
    loss,
  }: { readonly act: () => Promise<unknown>; readonly done: string; readonly loss?: string },
): Promise<number> {
  return change(runtime, {
    destroys: loss === undefined ? [] : [loss],
    checksFirst: true,
    act,
    answer: async (_, bofh): Promise<Answer<DrbdChange>> => {
      const { state } = await withBofh(bofh, () => drbd.resource(resource));
      const devices = (state?.volumes ?? []).map(({ minor }) => `/dev/drbd${String(minor)}`);
      const where = devices.length === 0 ? '' : `: ${devices.join(', ')}`;
      return {
        data: { resource, role: state?.role ?? null, devices },
        lines: [`${resource} ${done}${where}`],
      };
    },
  });
}
