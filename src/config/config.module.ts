import { Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { CONFIGURATION } from './configuration.js';

/** Makes every concern injectable by its `KEY`. The environment is read when the first one is injected. */
@Module({
  imports: [ConfigModule.forRoot({ isGlobal: true, cache: true, ignoreEnvFile: true, load: [...CONFIGURATION] })],
})
export class EiderConfigModule {}
