import { atomic, withBofh } from '../../../bofh.ts';
import { chroot } from '../../../copy/index.ts';
import { RefusedError, UsageError } from '../../../core/errors.ts';
import { inForeground } from '../../../host/foreground.ts';
import { planTree } from '../../../vm/tree.ts';
import { openSession } from '../../runtime/session.ts';
import { logged } from '../../runtime/system-log.ts';
import { verb } from '../../runtime/verb.ts';

/** Has no undo: the changes of the command in the guest stay. */
export default verb({
  changes: false,
  unrecorded: true,
  args: {
    name: ['<name>', 'name of the guest'],
    command: ['<command...>', 'command of the guest, written after --'],
  },
  examples: ['vm chroot web1 -- passwd root', 'vm chroot web1 -- apt-get -y install openssh-server'],
  run: async (runtime, { name, command }) => {
    const { settings } = runtime;
    if (settings.host !== undefined)
      throw new UsageError('vm chroot works only on the host that bofh runs on, so it takes no --host', {
        remedy: `if bofh is installed there: ssh -t ${settings.host} bofh vm chroot ${name} -- COMMAND`,
      });
    if (settings.mode === 'plan' || settings.answer === 'json')
      throw new UsageError(
        'bofh cannot plan what a command does, and the output of the command is not JSON',
        {
          remedy: 'leave out --dry-run and --json',
        },
      );
    const { bofh } = await openSession(runtime, { site: 'used', root: 'needed' });
    const plan = () => planTree(bofh.host, { site: bofh.site, name });
    const { mounts } = refuseMounted(name, await plan());
    const devices = new Set(mounts.map(({ device }) => device));
    // A signal is for the command: the sequence only locks the disks.
    const quiet = { ...bofh, signals: {} };
    return withBofh(quiet, () =>
      atomic(`vm chroot ${name}`, async (tx) => {
        const keys: string[] = [];
        for (const device of devices) keys.push((await bofh.engine.on(device)).key);
        await tx.reserve({ changes: keys });
        // Checked again, now that no other bofh can start the guest or mount its disks.
        const again = refuseMounted(name, await plan());
        return logged(runtime, bofh.host, () => inForeground(chroot(again, command)));
      }),
    );
  },
});

function refuseMounted<P extends { readonly at: string | undefined }>(name: string, plan: P): P {
  if (plan.at === undefined) return plan;
  throw new RefusedError(`${name} is mounted on ${plan.at}`, {
    code: 'in-use',
    remedy: `bofh vm unmount ${name}`,
  });
}
