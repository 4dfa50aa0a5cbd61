import { currentBofh, checkedUnlessBusy } from '../bofh.ts';
import { naming } from '../core/checks.ts';
import { isOfGuest } from '../vm/names.ts';

/**
 * Plans a recipe for the guest `name`, and the new guest `to` if there is one. While another sequence works on one of them,
 * `checkedUnlessBusy` waits or throws. An error names the method and the option.
 */
export function planning<T>(
  method: string,
  texts: Readonly<Record<string, unknown>>,
  plan: () => Promise<T>,
): Promise<T> {
  const { site } = currentBofh();
  const guests = [texts['name'], texts['to']].filter((name) => typeof name === 'string');
  const isAbout = (key: string): boolean => guests.some((name) => isOfGuest(site, name, key));
  return naming(method, texts, () => checkedUnlessBusy(method, isAbout, plan));
}

/** Plans a recipe for a DRBD resource, and waits or throws as `planning` does. */
export function planningResource<T>(method: string, name: string, plan: () => Promise<T>): Promise<T> {
  const isAbout = (key: string): boolean =>
    key === `drbd:${name}` || (key.startsWith('file:') && key.endsWith(`/${name}.res`));
  return checkedUnlessBusy(method, isAbout, plan);
}
