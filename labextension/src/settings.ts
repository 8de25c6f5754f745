// What a person may choose, from schema/plugin.json.

import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import { Signal, type ISignal } from '@lumino/signaling';

export class Settings {
  autostart = false;
  hz = 2;
  motion: 'system' | 'reduced' = 'system';
  scale = 1;
  private _changed = new Signal<this, void>(this);

  /** They were read, or a person changed one. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  follow(settings: ISettingRegistry.ISettings): void {
    const take = (): void => {
      const { autostart, updateRate, motion, fontScale } = settings.composite;
      this.autostart = autostart === true;
      this.hz = typeof updateRate === 'number' ? Math.min(2, Math.max(0.1, updateRate)) : 2;
      this.motion = motion === 'reduced' ? 'reduced' : 'system';
      this.scale = typeof fontScale === 'number' ? Math.min(2.5, Math.max(0.8, fontScale)) : 1;
      this._changed.emit();
    };
    settings.changed.connect(take);
    take();
  }
}
