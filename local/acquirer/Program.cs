using Payments.Acquirer;

try
{
    await using var app = await AcquirerApp.CreateAsync(args);
    await app.StartAsync();
    Console.WriteLine($"Sandbox acquirer listening on {AcquirerApp.AddressOf(app)}");
    await app.WaitForShutdownAsync();
    return 0;
}
catch (AcquirerSetupException problem)
{
    await Console.Error.WriteLineAsync($"The sandbox acquirer cannot start: {problem.Message}");
    return 1;
}
