import { agentName } from '../../../xen/agent.ts';
import { unmodelled } from '../../options.ts';
import type { Domain } from '../../world/parts.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';

/** xenstore-ls, for the consoles and channels of a guest (Xen 4.17). */
export function xenstoreLs(call: ToolCall): ReturnType<ToolModel> {
  const [option, top = ''] = call.argv;
  const id = /^\/local\/domain\/0\/backend\/console\/(?<id>\d+)$/.exec(top)?.groups?.id;
  if (option !== '-f' || id === undefined) throw unmodelled(call, 'it knows the consoles of a guest');
  const domain = call.world.domains.find(({ domid }) => domid === Number(id));
  if (domain === undefined) return failed(1, `xenstore-ls: xs_directory (${top}): No such file or directory`);
  const console = (at: number, state: string, more: Readonly<Record<string, string>>): string => {
    const frontend = `/local/domain/${id}/${at === 0 ? 'console' : `device/console/${at}`}`;
    const values = { frontend, 'frontend-id': id, online: '1', state, protocol: 'vt100', ...more };
    return [
      `${top}/${at} = ""\n`,
      ...Object.entries(values).map(([key, value]) => `${top}/${at}/${key} = "${value}"\n`),
    ].join('');
  };
  const { agent } = domain;
  const channel =
    agent === undefined
      ? ''
      : console(1, '4', {
          ...{ name: agentName, connection: 'socket', path: agent.socket },
          'hotplug-status': 'connected',
        });
  return ok(console(0, '1', {}) + channel);
}

/** The Perl script that sends one command to the QEMU guest agent (7.2) of a guest. */
export function agentScript(call: ToolCall): ReturnType<ToolModel> {
  const [, socket = '', verb = '', seconds = ''] = call.argv;
  const domain = call.world.domains.find(({ agent }) => agent?.socket === socket);
  if (domain?.agent === undefined) return failed(1, `${socket}: No such file or directory`);
  const { agent } = domain;
  const isSilent = domain.state === 'paused' || agent.answers === 'never';
  if (isSilent) return failed(1, `${socket}: the agent did not answer within ${seconds} s`);
  if (verb === 'status') return ok(`{"return": "${agent.filesystems}"}\n`);
  if (verb === 'freeze') return frozen(domain, agent);
  if (verb !== 'thaw') throw unmodelled(call, 'it knows status, freeze and thaw');
  const count = agent.filesystems === 'frozen' ? 2 : 0;
  domain.agent = { ...agent, filesystems: 'thawed' };
  return ok(`{"return": ${count}}\n`);
}

function frozen(domain: Domain, agent: NonNullable<Domain['agent']>): ReturnType<ToolModel> {
  const refuse = (said: string): ReturnType<ToolModel> =>
    failed(1, `${agent.socket}: {"error": {"class": "GenericError", "desc": "${said}"}}`);
  // While frozen, the agent answers only a few commands.
  if (agent.filesystems === 'frozen')
    return refuse('Command guest-fsfreeze-freeze has been disabled: the agent is in frozen state');
  if (agent.answers === 'but freezes nothing') return refuse('failed to freeze /srv: Input/output error');
  domain.agent = { ...agent, filesystems: 'frozen' };
  return ok('{"return": 2}\n');
}
