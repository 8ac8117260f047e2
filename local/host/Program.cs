using FunctionsHost.Hosting;

return await FunctionsApp.RunAsync(args, Console.Out);
