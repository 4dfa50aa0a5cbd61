import { domainOf, guestNamed } from '../../../api/guests.ts';
import { withBofh } from '../../../bofh.ts';
import { CommandError, RefusedError, UsageError } from '../../../core/errors.ts';
import { inForeground } from '../../../host/foreground.ts';
import { openSession } from '../../runtime/session.ts';
import { verb } from '../../runtime/verb.ts';

/** Leaves the terminal to xl until the administrator types Ctrl-]. */
export default verb({
  changes: false,
  args: { name: ['<name>', 'name of the guest'] },
  examples: ['vm console web1'],
  run: async (runtime, { name }) => {
    const { settings, terminal } = runtime;
    if (settings.host !== undefined)
      throw new UsageError('the console needs a terminal on the host of the guest', {
        remedy: `ssh -t ${settings.host} xl console ${name}`,
      });
    if (settings.answer === 'json')
      throw new UsageError('the console has no JSON output', { remedy: 'leave out --json' });
    if (!terminal.interactive)
      throw new RefusedError('the console needs a terminal, but there is none', {
        remedy: `run it on a terminal; what the guest printed is in /var/log/xen/console/guest-${name}.log if xenconsoled runs with --log=guest (/etc/default/xen)`,
      });
    const { bofh } = await openSession(runtime, { site: 'used', root: 'not-needed' });
    const domain = await withBofh(bofh, async () => domainOf(await guestNamed('vm.console', name)));
    if (domain === undefined) throw new RefusedError(`${name} is off`, { remedy: `bofh vm start ${name}` });
    terminal.line(`bofh: the console of ${name}; Ctrl-] leaves it`);
    const command = { tool: 'xl', argv: ['console', String(domain.id)] } as const;
    const exitCode = await inForeground(command);
    if (exitCode === 0) return 0;
    throw new CommandError({ ...command, reason: 'unknown', what: `exit ${String(exitCode)}` });
  },
});
