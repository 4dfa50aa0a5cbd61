import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CommandError, ParseError } from '../../../src/core/errors.ts';
import { localHost } from '../../../src/host/local.ts';
import { agentFreeze, agentSocket, agentStatus, usableAgent } from '../../../src/xen/agent.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { fakeHost } from './fake-host.ts';

describe('the channel of a guest agent', () => {
  const top = '/local/domain/0/backend/console/5';
  const console = `${top}/0 = ""\n${top}/0/state = "1"\n`;
  const channel = [
    'name = "org.qemu.guest_agent.0"',
    'connection = "socket"',
    'path = "/run/a.sock"',
    'state = "4"',
  ];
  const store = (lines: readonly string[]): string =>
    `${console}${top}/2 = ""\n${lines.map((line) => `${top}/2/${line}\n`).join('')}`;
  const parsed = (stdout: string) => agentSocket({ id: 5 }).parse({ exitCode: 0, stdout, stderr: '' });

  test('is the connected one with its name', () => {
    expect(agentSocket({ id: 5 }).argv).toEqual(['-f', top]);
    expect(parsed(store(channel))).toBe('/run/a.sock');
    expect(parsed(store(channel.map((line) => line.replace('guest_agent', 'other'))))).toBeUndefined();
    expect(parsed(store(channel.map((line) => line.replace('"4"', '"2"'))))).toBeUndefined();
    expect(parsed(store(channel.map((line) => line.replace('"socket"', '"pty"'))))).toBeUndefined();
    expect(parsed(console)).toBeUndefined();
  });

  test('to an agent that answers with an error has a remedy other than to start the agent', async () => {
    const stderr = '/run/a.sock: {"error": {"class": "CommandNotFound", "desc": "disabled"}}\n';
    const host = fakeHost();
    const run: typeof host.run = async (command) => {
      if (command.tool === 'xenstore-ls')
        return command.parse({ exitCode: 0, stdout: store(channel), stderr: '' });
      if (command.tool !== 'perl') return host.run(command);
      throw new CommandError({ ...command, exitCode: 1, stdout: '', stderr, reason: 'unknown' });
    };

    expect(await rejectionOf(usableAgent({ ...host, run }, { id: 5, name: 'web1' }))).toMatchObject({
      name: 'RefusedError',
      message: expect.stringContaining('web1 refuses the command guest-fsfreeze-status') as string,
      remedy: expect.stringMatching(/^allow the commands .*; or do not freeze its filesystems/) as string,
    });
  });

  test.each([
    ['nothing', ''],
    ['a line that is cut off', `${console}${top}/2/name = "org.qe`],
    ['a channel without a path', store(channel.filter((line) => !line.startsWith('path')))],
  ])('throws for %s', (_, stdout) => {
    expect(() => parsed(stdout)).toThrow(ParseError);
  });
});

describe('the script for a guest agent', () => {
  let directory: string;
  let socket: string;
  let server: Server | undefined;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'bofh-agent-'));
    socket = join(directory, 'agent.sock');
  });
  afterEach(async () => {
    await new Promise((resolve) => (server === undefined ? resolve(0) : server.close(resolve)));
    rmSync(directory, { recursive: true });
  });

  /** An agent that gets lines, and writes what `answers` returns. */
  const agent = (answers: (line: string) => string): Promise<void> =>
    new Promise((resolve) => {
      server = createServer((client) => {
        let rest = '';
        client.on('data', (data) => {
          const lines = (rest + data.toString('latin1')).split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines) client.write(answers(line), 'latin1');
        });
      }).listen(socket, resolve);
    });
  /** Before the answer to the sync there is an old answer, the echo of the terminal, and the answer to an old sync. */
  const synced = (line: string): string | undefined => {
    const id = /^\xff.*"id":(?<id>\d+)/.exec(line)?.groups?.['id'];
    return id === undefined
      ? undefined
      : `{"return": 1}\n${line}\r\n\xff{"return": 7}\n\xff{"return": ${id}}\n`;
  };
  const run = localHost();

  test('skips all that is before the answer to its own sync', async () => {
    await agent((line) => synced(line) ?? '{"return": "frozen"}\n');

    expect(await run.run(agentStatus(socket, 10))).toBe('frozen');
  });

  test.each([
    ['an answer of another type', '{"return": 2}\n'],
    ['two answers', '{"return": "frozen"}\n{"return": "thawed"}\n'],
    ['no JSON', 'frozen\n'],
  ])('throws for %s', async (_, answer) => {
    await agent((line) => synced(line) ?? answer);

    expect(await rejectionOf(run.run(agentStatus(socket, 10)))).toBeInstanceOf(ParseError);
  });

  test('fails with the reason of the agent, of the socket, or after its time limit', async () => {
    expect(await rejectionOf(run.run(agentStatus(socket, 10)))).toMatchObject({ reason: 'not-found' });
    await agent((line) => synced(line) ?? '{"error": {"class": "GenericError", "desc": "disabled\x1b"}}\n');
    expect(await rejectionOf(run.run({ ...agentFreeze(socket), access: 'read' }))).toMatchObject({
      reason: 'unknown',
      stderr: `${socket}: {"error": {"class": "GenericError", "desc": "disabled?"}}\n`,
    });
    server?.close();
    rmSync(socket, { force: true });
    await agent(() => '');
    expect(await rejectionOf(run.run(agentStatus(socket, 1)))).toMatchObject({ reason: 'timeout' });
  });
});
