import { createHash } from 'node:crypto';

const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
const lvmUuid = /\b[A-Za-z0-9]{6}(?:-[A-Za-z0-9]{4}){5}-[A-Za-z0-9]{6}\b/g;
const dmUuid = /\bLVM-(?<vg>[A-Za-z0-9]{32})(?<lv>[A-Za-z0-9]{32})\b/g;
// asctime(3), as tune2fs and the like write it: always so long.
const time = /\b[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\b/g;

/** What was drawn at random or told by the clock, and what stands for it in a recording. */
export class Stable {
  readonly #pins: Readonly<Record<string, string>>;
  readonly #real = new Map<string, string>();
  readonly #recorded = new Map<string, string>();

  constructor(pins: Readonly<Record<string, string>> = {}) {
    this.#pins = pins;
  }

  /** Learns of an object. One that has been renamed keeps what stood for it first. */
  learn(name: string, real: string): void {
    this.#real.set(name, real);
    if (!this.#recorded.has(real)) this.#recorded.set(real, this.#pins[name] ?? uuidFrom(name));
  }

  /** The identity that an object has on the machine. */
  id(name: string): string {
    const real = this.#real.get(name);
    if (real === undefined) throw new Error(`there is no ${name} on the machine`);
    return real;
  }

  /** The text as it is kept: the same for each recording. What was gone before it could be learned is named after the situation. */
  text(original: string, situation: string): string {
    const short = (real: string): string => bare(this.#recorded.get(hyphened(real)) ?? uuidFrom(situation));
    return original
      .replaceAll(lvmUuid, (found) => this.#recorded.get(found) ?? found)
      .replaceAll(dmUuid, (_all, vg: string, lv: string) => `LVM-${short(vg)}${short(lv)}`)
      .replaceAll(time, 'Sat Nov 21 12:00:00 2026');
  }
}

function hyphened(text: string): string {
  return text.replace(/^(.{6})(.{4})(.{4})(.{4})(.{4})(.{4})(.{6})$/, '$1-$2-$3-$4-$5-$6-$7');
}

function bare(uuid: string): string {
  return uuid.replaceAll('-', '');
}

/** A uuid of lvm that is always the same for a name. */
export function uuidFrom(name: string): string {
  const bytes = createHash('sha256').update(name).digest();
  return hyphened([...bytes].map((byte) => letters[byte % letters.length]).join(''));
}
