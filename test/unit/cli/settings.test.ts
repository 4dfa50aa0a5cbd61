import { describe, expect, it } from 'vitest';
import { parseDuration, settingsOf } from '../../../src/cli/runtime/settings.ts';
import { UsageError } from '../../../src/core/errors.ts';

describe('a duration', () => {
  it.each([
    ['60s', 60_000],
    ['90', 90_000],
    ['1.5m', 90_000],
    ['500ms', 500],
    ['1h', 3_600_000],
    ['0', 0],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(['', '-1s', '10 s', '5 minutes', '1d', 'soon', '1e3s', '999h'])('refuses "%s"', (text) => {
    expect(() => parseDuration(text)).toThrow(UsageError);
  });
});

describe('the settings of a command', () => {
  it('refuse --format with --json', () => {
    expect(settingsOf({ format: 'volume, size' }, {}).format).toEqual(['volume', 'size']);
    expect(() => settingsOf({ format: 'size', json: true }, {})).toThrow('--format and --json exclude each');
  });

  it.each([{ host: '' }, { site: '' }, { logFile: '' }, { stateDir: '' }])(
    'refuse an empty value: %j',
    (options) => {
      expect(() => settingsOf(options, {})).toThrow(UsageError);
    },
  );

  it('are safe by default', () => {
    expect(settingsOf({}, {})).toEqual({
      answer: 'text',
      mode: 'act',
      consent: 'ask',
      waitMs: 0,
      site: undefined,
      stateDir: '/var/lib/bofh',
      stateDirBy: 'default',
      logLevel: 'warn',
      quiet: false,
      color: 'auto',
      pager: 'less',
    });
  });

  it('use the environment without an option', () => {
    const env = { BOFH_SITE: '/env/site.ts', BOFH_STATE_DIR: '/env/state' };

    expect(settingsOf({}, env)).toMatchObject({ site: '/env/site.ts', stateDir: '/env/state' });
    expect(settingsOf({ site: '/a.ts', stateDir: '/b' }, env)).toMatchObject({
      site: '/a.ts',
      stateDir: '/b',
    });
  });

  it('treat an empty variable as unset', () => {
    expect(settingsOf({}, { BOFH_SITE: '', BOFH_STATE_DIR: '' })).toMatchObject({
      site: undefined,
      stateDir: '/var/lib/bofh',
    });
  });

  it('refuse a relative state directory and an unknown log level', () => {
    expect(() => settingsOf({ stateDir: 'state' }, {})).toThrow(/absolute/);
    expect(() => settingsOf({ logLevel: 'loud' }, {})).toThrow(/not a log level/);
  });
});
