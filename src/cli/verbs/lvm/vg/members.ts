import type * as lvm from '../../../../api/lvm.ts';
import type { Answer } from '../../../output/answer.ts';
import type { LvmVgDevices } from '../../../output/answers/index.ts';
import { change } from '../../../runtime/change.ts';
import type { Runtime } from '../../../runtime/runtime.ts';

/** Adds devices to a volume group or removes them from it; `done` is the word for it in the answer. */
export async function changeMembers(
  runtime: Runtime<LvmVgDevices>,
  asked: { readonly vg: string; readonly devices: string[] },
  { act, done }: { readonly act: typeof lvm.extendVg; readonly done: string },
): Promise<number> {
  const { vg, devices } = asked;
  return change(runtime, {
    act: () => act(asked),
    answer: ({ uuid }): Answer<LvmVgDevices> => ({
      data: { group: vg, uuid, devices },
      lines: [`${devices.join(' and ')}: ${done} the volume group ${vg}`],
    }),
  });
}
