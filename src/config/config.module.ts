import { Module } from '@nestjs/common';
import { ConfigModule, registerAs } from '@nestjs/config';
import { CONCERNS } from './configuration.js';

const CONFIGURATION = CONCERNS.map(({ name, provider }) => registerAs<object, () => object>(name, provider));

/** Makes every concern injectable by its `KEY`. The environment is read when the first one is injected. */
@Module({
  imports: [ConfigModule.forRoot({ isGlobal: true, cache: true, ignoreEnvFile: true, load: CONFIGURATION })],
})
export class EiderConfigModule {}
