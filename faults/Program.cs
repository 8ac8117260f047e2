Console.Error.WriteLine("usage: ./bench faults --seed N [--minutes M]");
return 2;
